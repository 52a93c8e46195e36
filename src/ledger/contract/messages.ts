import type { LedgerTime } from './processes.ts';

/** Queues, idempotency keys and message rates. */
export interface MessageStore {
  /** Appends an item to its queue. Returns `full` if it holds `limit` items already, or `keyLimit` with this key. */
  enqueue(item: EnqueueParams): Promise<EnqueueResult>;
  /**
   * Takes the first item of each queue key that is due, at most `limit` items. No process gets a taken item, or a later
   * item with its key, before `takenUntil`. The caller must call `removeQueued` or `postpone` by then; otherwise, and if its
   * process ends, the item is handed out again. So each item is handed out at least once.
   */
  takeDue(params: TakeDueParams): Promise<QueuedItem[]>;
  /** Removes an item after it was sent or given up, so that the next item with its key becomes due. */
  removeQueued(item: QueuedItemRef): Promise<void>;
  /** Makes a taken item due again at `retryAt`, as the first of its key. Does nothing if another process holds it. */
  postpone(params: PostponeParams): Promise<void>;
  /** Returns how many items a queue holds, taken items included. */
  queueLength(queue: QueueName): Promise<number>;
  /** Returns whether a queue holds items with this key. New messages with the key must then be queued behind them. */
  hasQueued(key: Pick<QueuedItemRef, 'queue' | 'queueKey'>): Promise<boolean>;
  /** Returns the time at which the next item is due, or null if the queue is empty. */
  nextDueAt(queue: QueueName): Promise<number | null>;

  /**
   * Starts a request with an idempotency key. Of several requests of an owner with one key, exactly one gets `new`.
   * A request is `new` again if its process ended or sent no heartbeat for `HEARTBEAT_TIMEOUT_MS` before it finished, although
   * its work may have been done.
   */
  beginRequest(params: BeginRequestParams): Promise<BeginRequestResult>;
  /** Stores the response that repetitions of the request get until it expires. */
  finishRequest(params: FinishRequestParams): Promise<void>;
  /** Deletes a request that failed before it had an effect, so that the next one with this key is `new`. */
  dropRequest(key: RequestKey): Promise<void>;

  /** Charges `count` messages to a sliding period. The limit is exact for any number of processes. */
  chargeMessageRate(params: MessageRateParams): Promise<MessageRateResult>;
}

/** `outbox`: messages for the XMPP server. `callback`: stanzas for the callback URL. */
export type QueueName = 'outbox' | 'callback';

export interface EnqueueParams {
  readonly queue: QueueName;
  /** Items with one key are handed out strictly in order. Items with different keys do not wait for each other. */
  readonly queueKey: string;
  /** Bare JID that the item belongs to. `forget` deletes the items of an owner. */
  readonly owner: string;
  readonly body: string;
  readonly now: number;
  readonly giveUpAt: number;
  /** Maximum number of items in the queue. */
  readonly limit: number;
  /** Maximum number of items with this key; without it only `limit` counts. */
  readonly keyLimit?: number;
}

export type EnqueueResult =
  | { readonly outcome: 'queued'; readonly id: number }
  | { readonly outcome: 'full' };

/** Identifies an item. */
export interface QueuedItemRef {
  readonly queue: QueueName;
  readonly queueKey: string;
  /** Grows with each item of the queue. */
  readonly id: number;
}

export interface QueuedItem extends QueuedItemRef {
  readonly owner: string;
  readonly body: string;
  readonly queuedAt: number;
  readonly giveUpAt: number;
  /** Number of failed attempts. */
  readonly attempts: number;
}

export interface TakeDueParams {
  readonly queue: QueueName;
  readonly now: number;
  readonly limit: number;
  /** Id of the process that takes the items, as in its heartbeats. */
  readonly instance: string;
  readonly takenUntil: number;
}

export interface PostponeParams extends QueuedItemRef {
  readonly instance: string;
  readonly retryAt: number;
  readonly countsAsAttempt: boolean;
}

export interface RequestKey {
  readonly owner: string;
  readonly key: string;
}

export interface BeginRequestParams extends RequestKey, LedgerTime {
  /** Digest of the request. A different request with the same key gets `key_reused`. */
  readonly digest: string;
  /** Id of the process that runs the request, as in its heartbeats. */
  readonly instance: string;
  readonly now: number;
  readonly expiresAt: number;
  /** Maximum number of keys that one owner may have at a time. */
  readonly limit: number;
}

export type BeginRequestResult =
  | { readonly outcome: 'new' }
  | { readonly outcome: 'done'; readonly response: string }
  /** The first request with this key is still running. */
  | { readonly outcome: 'running' }
  /** The key belongs to a different request. */
  | { readonly outcome: 'key_reused' }
  /** The owner has `limit` other keys already. */
  | { readonly outcome: 'too_many' };

export interface FinishRequestParams extends RequestKey {
  readonly response: string;
}

export interface MessageRateParams {
  /** Name of the counter. `forget` deletes the counters that are named after the owner. */
  readonly key: string;
  /** Length of the sliding period in milliseconds. */
  readonly period: number;
  readonly limit: number;
  readonly count: number;
  readonly now: number;
}

export type MessageRateResult =
  | { readonly outcome: 'ok' }
  /** `retryAt`: when the messages fit if no others are charged; null if `count` alone exceeds the limit. */
  | { readonly outcome: 'over'; readonly retryAt: number | null };
