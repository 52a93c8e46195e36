import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import type { Clock } from '../../src/base/clock.ts';
import { toPutKey } from '../../src/base/ids.ts';
import { openFsBlobs } from '../../src/blobs/fs/fs-blobs.ts';
import type { Ledger } from '../../src/ledger/contract/ledger.ts';
import { openSqliteLedger } from '../../src/ledger/sqlite/open.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { type AccessRule, allowAllRule, compileAccessRules } from '../../src/policy/access.ts';
import type { Retention } from '../../src/policy/retention.ts';
import { createClamd } from '../../src/scanner/clamd.ts';
import { createBlobDeleter } from '../../src/uploads/blobs/delete-pending.ts';
import { createContentChecks } from '../../src/uploads/content/content-checks.ts';
import { noReserve } from '../../src/uploads/disk/space-reserve.ts';
import { createFileCache } from '../../src/uploads/file-cache.ts';
import { type GrantedSlot, grantSlot, type SlotRequest } from '../../src/uploads/grant-slot.ts';
import { createRefusalLog } from '../../src/uploads/refusals/refusal-log.ts';
import type { UploadRules, UploadServices } from '../../src/uploads/services.ts';
import { createTransfers } from '../../src/uploads/transfers.ts';

export const MINUTE = 60_000;
export const DAY = 24 * 60 * MINUTE;

export interface TestServices {
  readonly services: UploadServices;
  /** The folder of the ledger and the blobs. */
  readonly folder: string;
  /** Log lines from `info` up, as JSON. */
  readonly logLines: readonly string[];
  /** Moves the clock. */
  advance(ms: number): void;
  /** Replaces some of the rules. */
  setRules(change: Partial<UploadRules>): void;
  requestSlot(request?: Partial<SlotRequest>): Promise<GrantedSlot>;
  /** Stores a file of the reserved size in a slot. */
  fill(slot: GrantedSlot): Promise<void>;
  /** Requests a slot and stores a file in it. */
  upload(request?: Partial<SlotRequest>): Promise<GrantedSlot>;
  close(): Promise<void>;
}

/** Replaces the clock of the ledger by the clock of a test. */
function withClock(ledger: Ledger, clock: Clock): Ledger {
  const timed = () => ({ ledgerTime: clock() });
  return {
    ...ledger,
    readClock: async () => clock(),
    heartbeat: (heartbeat) => ledger.heartbeat({ ...timed(), ...heartbeat }),
    claim: (params) => ledger.claim({ ...timed(), ...params }),
    reserve: (reservation) => ledger.reserve({ ...timed(), ...reservation }),
    beginRequest: (params) => ledger.beginRequest({ ...timed(), ...params }),
    sweep: (step) => ledger.sweep(step.kind === 'dead_claims' ? { ...timed(), ...step } : step),
  };
}

export function access(rule: Partial<AccessRule> = {}): UploadRules['access'] {
  return compileAccessRules([{ ...allowAllRule, jid: ['@example\\.org$'], ...rule }]);
}

export const retention: Retention = {
  max_age: 30 * DAY,
  soft_quota: 0,
  purposes: { message: {}, profile: { max_age: null }, ephemeral: { max_age: 7 * DAY } },
  name_prefixes: { story_: 'ephemeral' },
};

/** Opens upload services with real stores in a temporary folder and a clock that the test controls. */
export async function openTestServices(t: TestContext): Promise<TestServices> {
  const folder = await mkdtemp(join(tmpdir(), 'porter-services-'));
  const real = await openSqliteLedger({ file: join(folder, 'porter.db'), sync: false });
  const ledger = withClock(real, () => now);
  const blobs = openFsBlobs({ root: join(folder, 'blobs'), sync: false });
  let now = Date.UTC(2026, 0, 1);
  let rules: UploadRules = {
    access: access(),
    retention,
    globalQuota: null,
    slotTimeout: 6 * MINUTE,
    typeMismatch: 'refuse',
  };
  const logLines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void logLines.push(line) });
  const metrics = createMetrics();
  const blobDeleter = createBlobDeleter({ ledger, blobs, clock: () => now, metrics });
  const services: UploadServices = {
    ledger,
    blobs,
    rules: () => rules,
    clock: () => now,
    log,
    refusals: createRefusalLog({ ledger, rules: () => rules, clock: () => now, log }),
    metrics,
    blobDeleter,
    instance: 'test',
    transfers: createTransfers(),
    fileCache: createFileCache(),
    spaceReserve: noReserve,
    content: createContentChecks({
      ledger,
      rules: () => rules.content,
      scanner: createClamd(),
      log,
      metrics,
    }),
  };
  const requestSlot = (request: Partial<SlotRequest> = {}) =>
    grantSlot(services, {
      endpoint: 'component',
      jid: 'romeo@example.org/garden',
      name: 'a.jpg',
      size: 100,
      type: 'image/jpeg',
      ...request,
    });
  const opened: TestServices = {
    services,
    folder,
    logLines,
    advance(ms) {
      now += ms;
    },
    setRules(change) {
      rules = { ...rules, ...change };
    },
    requestSlot,
    async upload(request) {
      const slot = await requestSlot(request);
      await fill(services, slot);
      return slot;
    },
    fill: (slot) => fill(services, slot),
    async close() {
      await services.refusals.flush();
      await blobDeleter.idle();
      await ledger.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  t.after(() => opened.close());
  return opened;
}

async function fill({ ledger, blobs, clock }: UploadServices, slot: GrantedSlot): Promise<void> {
  const order = { token: 'claim0000000', instance: 'test', now: clock() };
  const claimed = await ledger.claim({ ...order, by: { putKey: toPutKey(slot.token) } });
  if (claimed.outcome !== 'claimed') throw new Error(claimed.outcome);
  await blobs.put(claimed.upload.blob, one(Buffer.alloc(slot.size, 'x')));
  const { blob } = claimed.upload;
  await ledger.commit({ id: slot.id, token: 'claim0000000', now: clock(), size: slot.size, blob });
}

async function* one(chunk: Buffer): AsyncGenerator<Buffer[]> {
  yield [chunk];
}
