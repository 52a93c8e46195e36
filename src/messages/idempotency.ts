import { Refusal } from '../base/errors.ts';
import type { MessageServices } from './message-services.ts';

/** A request that its sender named, so that it can be repeated without harm. */
export interface IdempotentRequest {
  /** Whose keys they are: two senders may choose the same key. */
  readonly owner: string;
  readonly key: string;
  /** Of all that is asked for. */
  readonly digest: string;
}

/** What a request came to; `final` where a repetition must get it again instead of being tried again. */
export interface IdempotentResult<T> {
  readonly answer: T;
  readonly isFinal: boolean;
}

const KEPT_MS = 24 * 3600 * 1000;

/**
 * Does work once for each key (draft-ietf-httpapi-idempotency-key-header). A repetition gets the first answer;
 * `key_reused` where it asks for something else, `key_in_use` while the first is under way. Work that throws, or
 * whose answer is not final, leaves the key free. `T` is plain data.
 */
export async function runIdempotent<T>(
  deps: Pick<MessageServices, 'ledger' | 'clock' | 'instance'>,
  { owner, key, digest }: IdempotentRequest,
  work: () => Promise<IdempotentResult<T>>,
): Promise<T> {
  const now = deps.clock();
  const begun = await deps.ledger.beginRequest({
    owner,
    key,
    digest,
    instance: deps.instance,
    now,
    expiresAt: now + KEPT_MS,
  });
  if (begun.outcome === 'done') return JSON.parse(begun.response) as T;
  if (begun.outcome === 'key_reused') throw new Refusal('key_reused');
  if (begun.outcome === 'running') throw new Refusal('key_in_use');
  let final = false;
  try {
    const settled = await work();
    final = settled.isFinal;
    if (final) await deps.ledger.finishRequest({ owner, key, response: JSON.stringify(settled.answer) });
    return settled.answer;
  } finally {
    if (!final) await deps.ledger.dropRequest({ owner, key });
  }
}
