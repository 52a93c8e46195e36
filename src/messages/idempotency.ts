import { Refusal } from '../base/errors.ts';
import { formatCount } from '../base/units.ts';
import type { MessageServices } from './message-services.ts';

/** A request with an idempotency key, which makes repetitions safe. */
export interface IdempotentRequest {
  /** Scope of the key: two owners may use the same key. */
  readonly owner: string;
  readonly key: string;
  /** Digest of the whole request. */
  readonly digest: string;
}

/** `isFinal` is true if a repetition must get this answer instead of a new attempt. `answer` is plain data. */
export interface IdempotentResult<T> {
  readonly answer: T;
  readonly isFinal: boolean;
}

const RETENTION_MS = 24 * 3600 * 1000;
/** Keys of one owner within that time. Each keeps an answer in the ledger. */
const MAX_KEYS_PER_OWNER = 5_000;

/**
 * Does the work once per key (draft-ietf-httpapi-idempotency-key-header) and returns the stored answer to repetitions.
 * Throws `key_reused` if the same key comes with another request, `key_in_use` while the first one is running,
 * and `too_many_messages` if the owner has used too many keys.
 * The key stays free if the work throws or its result is not final.
 */
export async function runIdempotent<T>(
  { ledger, clock, instance }: Pick<MessageServices, 'ledger' | 'clock' | 'instance'>,
  { owner, key, digest }: IdempotentRequest,
  work: () => Promise<IdempotentResult<T>>,
): Promise<T> {
  const now = clock();
  const expiresAt = now + RETENTION_MS;
  const limit = MAX_KEYS_PER_OWNER;
  const request = await ledger.beginRequest({ owner, key, digest, instance, now, expiresAt, limit });
  if (request.outcome === 'done') return JSON.parse(request.response) as T;
  if (request.outcome === 'key_reused') throw new Refusal('key_reused');
  if (request.outcome === 'too_many') {
    throw new Refusal('too_many_messages', {
      text: `This sender has used ${formatCount(limit, 'idempotency key')} within 24 hours. Send without a key, or try again later.`,
    });
  }
  if (request.outcome === 'running') throw new Refusal('key_in_use');
  let isFinal = false;
  try {
    const result = await work();
    isFinal = result.isFinal;
    if (isFinal) await ledger.finishRequest({ owner, key, response: JSON.stringify(result.answer) });
    return result.answer;
  } finally {
    if (!isFinal) await ledger.dropRequest({ owner, key });
  }
}
