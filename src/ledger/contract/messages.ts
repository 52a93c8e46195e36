/**
 * The ledger's part in messages: what waits to be sent, what was asked once, how much was sent lately. All that
 * `Ledger` says of its methods holds for these; `due`, `settle`, `postpone`, `beginRequest`, `dropRequest` and `chargeMessageRate` are among
 * those that a power cut may undo.
 */
export interface MessageStore {
  /** Puts something at the end of its lane, or says that `limit` things wait in the queue already. */
  enqueue(order: EnqueueParams): Promise<EnqueueResult>;
  /**
   * Takes the first of each lane whose time has come, at most `limit`: until `until` nobody else gets them, nor what
   * is behind them. Whoever takes something must settle or postpone it by then; if its process dies, another gets
   * it again, so all that waits is handed over at least once.
   */
  takeDue(order: TakeDueParams): Promise<QueuedItem[]>;
  /** It is done with, one way or the other: the next of its lane may go. */
  removeQueued(place: QueuedItemRef): Promise<void>;
  /** Back to the head of its lane until `at`; `counts` where it was a try. Nothing where another has it by now. */
  postpone(order: PostponeParams): Promise<void>;
  /** How much waits in a queue, what is being sent included. */
  queueLength(queue: QueueName): Promise<number>;
  /** Is anything in this lane? Whatever comes after must wait behind it. */
  hasQueued(queueKey: { queue: QueueName; queueKey: string }): Promise<boolean>;
  /** The next moment at which something is due, or may be again; null where nothing waits. */
  nextDueAt(queue: QueueName): Promise<number | null>;

  /**
   * Of several requests of an owner with one key exactly one gets `new`. What a process left unfinished that died
   * or was silent for long is `new` again, though it may have been done.
   */
  beginRequest(order: BeginRequestParams): Promise<BeginRequestResult>;
  /** What a repetition of the request gets from now on, until it expires. */
  finishRequest(order: { owner: string; key: string; answer: string }): Promise<void>;
  /** It came to nothing: the next with this key is `new`. */
  dropRequest(order: { owner: string; key: string }): Promise<void>;

  /** Charges `count` to a sliding period, or says when it fits. Exact, however many processes charge. */
  chargeMessageRate(order: MessageRateParams): Promise<MessageRateResult>;
}

/** `outbox`: to the XMPP server. `callback`: to the address where stanzas are posted. */
export type QueueName = 'outbox' | 'callback';

export interface EnqueueParams {
  readonly queue: QueueName;
  /** Things of one lane go in the order in which they came; lanes don't wait for each other. */
  readonly queueKey: string;
  /** The bare JID it belongs to; `forget` takes it along. */
  readonly owner: string;
  readonly body: string;
  readonly now: number;
  readonly giveUpAt: number;
  /** How much may wait in the queue. */
  readonly limit: number;
}

export type EnqueueResult =
  | { readonly outcome: 'queued'; readonly id: number }
  | { readonly outcome: 'full' };

/** Where something waits. */
export interface QueuedItemRef {
  readonly queue: QueueName;
  readonly queueKey: string;
  /** Grows with each thing that comes into the queue. */
  readonly id: number;
}

export interface QueuedItem extends QueuedItemRef {
  readonly owner: string;
  readonly body: string;
  readonly queuedAt: number;
  readonly giveUpAt: number;
  /** Tries that failed. */
  readonly attempts: number;
}

export interface TakeDueParams {
  readonly queue: QueueName;
  readonly now: number;
  readonly limit: number;
  /** The process that takes them, as in its heartbeats. */
  readonly instance: string;
  readonly takenUntil: number;
}

export interface PostponeParams extends QueuedItemRef {
  readonly instance: string;
  readonly retryAt: number;
  readonly countsAsAttempt: boolean;
}

export interface BeginRequestParams {
  readonly owner: string;
  readonly key: string;
  /** Of what is asked: another request must not have the answer of this one. */
  readonly digest: string;
  readonly instance: string;
  readonly now: number;
  readonly expiresAt: number;
}

export type BeginRequestResult =
  | { readonly outcome: 'new' }
  | { readonly outcome: 'done'; readonly answer: string }
  /** The first of them is under way. */
  | { readonly outcome: 'running' }
  /** The key belongs to another request. */
  | { readonly outcome: 'other' };

export interface MessageRateParams {
  /** Whose allowance it is; an owner's own goes when it is forgotten. */
  readonly key: string;
  /** Milliseconds that the limit looks back. */
  readonly period: number;
  readonly limit: number;
  readonly count: number;
  readonly now: number;
}

export type MessageRateResult =
  | { readonly outcome: 'ok' }
  /** From `retryAt` on it fits, if nothing else comes; null where it is more than the limit by itself. */
  | { readonly outcome: 'over'; readonly retryAt: number | null };
