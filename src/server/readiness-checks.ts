import type { Logger } from '../base/log.ts';
import { BlobError } from '../blobs/contract.ts';
import { type Relay, RelayError } from '../cluster/relay.ts';
import { createReadiness, type Readiness, type ReadinessCheck } from '../http/listener/readiness.ts';
import { LedgerError } from '../ledger/contract/ledger.ts';
import { StoreIdentityError } from '../uploads/store-identity/store-identity-error.ts';
import { fetchStreamStatuses } from './leader-tasks.ts';
import type { Runtime } from './runtime.ts';
import { assertSameStore } from './store-check.ts';

const LEDGER_FAILURES: Readonly<Record<string, string>> = {
  full: 'The disk of the ledger is full.',
  unreachable: 'The ledger does not answer.',
  damaged: 'The ledger is damaged.',
};
const BLOB_FAILURES: Readonly<Record<string, string>> = {
  full: 'The disk or bucket of the blobs is full.',
};

/** Creates the checks of `/readyz`: the stores, and each component stream, which may be in another process. */
export function createServerReadiness(
  runtime: Pick<Runtime, 'services' | 'config'>,
  relay: Relay,
  log: Logger,
): () => Promise<Readiness> {
  const { config } = runtime;
  return createReadiness(log, [
    ...storeChecks(runtime),
    ...config.component.map(({ jid }) => streamCheck(relay, jid)),
  ]);
}

/** Returns the checks of the stores. They write to both. */
function storeChecks(runtime: Pick<Runtime, 'services' | 'config'>): ReadinessCheck[] {
  const { ledger, blobs } = runtime.services;
  return [
    {
      part: 'ledger',
      failureText: (error) => LEDGER_FAILURES[kindOf(error)] ?? 'The ledger cannot be written.',
      slowText: 'The ledger is slow.',
      check: () => ledger.checkWritable(),
      isOverload,
    },
    {
      part: 'blobs',
      failureText: (error) => BLOB_FAILURES[kindOf(error)] ?? 'The blobs cannot be written.',
      slowText: 'The blob store is slow.',
      check: () => blobs.checkWritable(),
      isOverload,
    },
    {
      part: 'storage',
      failureText: (error) =>
        error instanceof StoreIdentityError
          ? 'The file store does not belong to the database.'
          : 'The id of the ledger or of the file store cannot be read.',
      slowText: 'The id of the ledger or of the file store is read slowly.',
      check: () => assertSameStore(runtime),
      isOverload,
    },
  ];
}

/** The error of a stream that is down. The kind `unreachable` marks it as a known cause, so that no stack is logged. */
class StreamDownError extends Error {
  readonly kind = 'unreachable';
}

function streamCheck(relay: Relay, jid: string): ReadinessCheck {
  return {
    part: jid,
    failureText: () => 'The component stream is down.',
    slowText: 'The process with the component stream answers slowly.',
    async check() {
      const status = (await fetchStreamStatuses(relay)).find((stream) => stream.jid === jid);
      if (!status?.up) throw new StreamDownError(status?.lastError ?? 'not connected yet');
    },
    isOverload: (error) => error instanceof RelayError && (error.kind === 'timeout' || error.kind === 'busy'),
  };
}

const isOverload = (error: unknown) => kindOf(error) === 'busy';

function kindOf(error: unknown): string {
  return error instanceof LedgerError || error instanceof BlobError ? error.kind : '';
}
