import { createDelayedTask, withTimeout } from '../../base/async.ts';
import type { Clock } from '../../base/clock.ts';
import type { Refusal } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Endpoint } from '../../base/upload-records.ts';
import type { Ledger, RefusalRecord } from '../../ledger/contract/ledger.ts';
import type { AccessPolicy } from '../../policy/access.ts';
import { cleanFileName } from '../../policy/file-names.ts';

/** A refused slot request or PUT. */
export interface RefusedRequest {
  readonly kind: 'slot' | 'upload';
  readonly endpoint: Endpoint;
  readonly refusal: Refusal;
  /** Owner that the endpoint has authenticated. Without one, the refusal is logged but not remembered. */
  readonly owner?: string | undefined;
  /** For the log only: a JID that is not authenticated. */
  readonly claimedJid?: unknown;
  readonly uploadId?: string | undefined;
  /** File name and size in bytes, as far as they are known. */
  readonly name?: string | undefined;
  readonly size?: number | null | undefined;
  /** Bytes that arrived before the refusal. */
  readonly received?: number | undefined;
  /** Address of the client. */
  readonly client?: string | undefined;
  /** A test of porter doctor: neither logged nor remembered. */
  readonly isProbe?: boolean | undefined;
}

/** Writes one line for every refusal, and remembers refusals for `porter why`. */
export interface RefusalLog {
  /** Returns at once and never fails. */
  add(request: RefusedRequest): void;
  /** Writes the collected refusals to the ledger. Never rejects. */
  flush(): Promise<void>;
}

export interface RefusalLogServices {
  readonly ledger: Pick<Ledger, 'recordRefusals'>;
  readonly rules: () => { readonly access: AccessPolicy };
  readonly clock: Clock;
  readonly log: Logger;
}

/** Refusals are collected for this time and then written together. */
const FLUSH_AFTER_MS = 1000;
/** Maximum number of rows per flush, for owners that may upload and for those that may not. Further refusals are only logged. */
const MAX_PENDING = { allowed: 400, denied: 100 };
const MAX_TEXT = 300;
const FLUSH_TIMEOUT_MS = 5000;

/**
 * Collects equal refusals in memory and adds them to the ledger once a second. So neither a client that repeats its request nor
 * strangers cause more than a few hundred rows per second, and no answer waits for the ledger.
 */
export function createRefusalLog(services: RefusalLogServices): RefusalLog {
  const { log, clock } = services;
  const pending = new Map<string, RefusalRecord>();
  const writing = createDelayedTask(FLUSH_AFTER_MS, writePending);

  function remember(request: RefusedRequest, owner: string): void {
    const record = toRecord(services, request, owner);
    const key = JSON.stringify([owner, record.endpoint, record.code, record.uploadId]);
    const known = pending.get(key);
    if (known === undefined && !hasRoom(pending.values(), record.isDenied)) return;
    pending.set(key, known ? { ...record, times: known.times + 1, firstAt: known.firstAt } : record);
    writing.schedule();
  }

  async function writePending(): Promise<void> {
    const records = [...pending.values()];
    pending.clear();
    if (records.length === 0) return;
    try {
      const late = () => new Error('the ledger does not answer');
      await withTimeout(services.ledger.recordRefusals(records), FLUSH_TIMEOUT_MS, late);
    } catch (error) {
      log.debug({ reason: String(error), refusals: records.length }, 'could not remember refusals');
    }
  }

  return {
    add(request) {
      const { endpoint, owner, isProbe } = request;
      // Only test uploads of porter doctor have the endpoint `admin`.
      if (endpoint === 'admin' || isProbe) return;
      log.info(logFields(request), `${request.kind} refused`);
      if (owner !== undefined) remember(request, owner);
    },
    flush: writing.runNow,
  };

  function logFields({ endpoint, refusal, owner, claimedJid, uploadId, ...rest }: RefusedRequest) {
    const { size, received, client } = rest;
    const name = rest.name === undefined ? undefined : cleanFileName(rest.name);
    const { code, message: text, rule } = refusal;
    const jid = owner ?? claimedJid;
    return { jid, endpoint, code, text, rule, id: uploadId, name, size: size ?? undefined, received, client };
  }

  function toRecord({ rules }: RefusalLogServices, request: RefusedRequest, owner: string): RefusalRecord {
    const now = clock();
    const { endpoint, refusal, uploadId = '', name, size = null } = request;
    return {
      owner,
      endpoint,
      code: refusal.code,
      uploadId,
      isDenied: !rules().access.decide(owner).allowed,
      times: 1,
      firstAt: now,
      lastAt: now,
      text: refusal.message.slice(0, MAX_TEXT),
      name: name === undefined ? '' : cleanFileName(name),
      size: Number.isSafeInteger(size) ? size : null,
    };
  }
}

function hasRoom(records: Iterable<RefusalRecord>, isDenied: boolean): boolean {
  let count = 0;
  for (const record of records) if (record.isDenied === isDenied) count += 1;
  return count < (isDenied ? MAX_PENDING.denied : MAX_PENDING.allowed);
}
