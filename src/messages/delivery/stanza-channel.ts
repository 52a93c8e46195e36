import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import { createStanzaSizeLimit, type StanzaSizeLimit } from './stanza-size-limit.ts';

/** The stream that a channel writes to. */
export interface StreamWriter {
  /** Writes at once, in the order of the calls. Throws if the stream is closed; then nothing was written. */
  write(xml: string): void;
  /**
   * Formats a request that makes the server confirm all stanzas written before it: an iq with this id that it answers or returns, or
   * a request for an ack (XEP-0198).
   */
  formatRequest(id: string): string;
  /** Called if the server did not answer a request in time. */
  onRequestTimeout(): void;
}

/** Sends stanzas on one stream and detects when the server has accepted them. */
export interface StanzaChannel {
  /**
   * Writes a stanza after all earlier ones and resolves when the server has accepted it. Refusals: `unavailable` and
   * `busy` (it was not written), `no_answer` (it was written), `message_too_large` (the server does not accept it).
   */
  send(xml: string): Promise<void>;
  /** Returns true if this is the id of a request of this channel. Confirms the stanzas written before that request. */
  handlePong(id: string): boolean;
  /**
   * Confirms the first stanzas of the channel, as many as the server has handled (XEP-0198). Numbers begin again at 0 after 2^32 - 1.
   * Returns false if that is more than were written, or less than confirmed before.
   */
  handleAck(handledStanzas: number): boolean;
  /**
   * Called when the stream is closed. If the server ended it with `policy-violation`, as servers do when a stanza is too large, the
   * largest stanza that it had not accepted is refused with `message_too_large`. The same applies to a stanza that was the largest
   * one in two closed streams.
   */
  handleDisconnect(reason?: unknown): void;
}

/** Characters that may be written without confirmation. */
const WINDOW_SIZE = 48 * 1024;
/** Characters that may wait until the window has room. */
const MAX_WAITING_SIZE = 8 * 1024 * 1024;

interface Entry {
  readonly xml: string;
  /** In the time of `performance.now()`. */
  readonly expiresAt: number;
  readonly resolve: () => void;
  readonly reject: (reason: Refusal) => void;
}

/**
 * `answerTimeout` returns the milliseconds that a server has to answer a request, and that a stanza may wait to be
 * written.
 *
 * A server processes the stanzas of a stream in order, so the answer to a request confirms all stanzas before it. One request
 * is pending at a time. If a server is slow (many limit the rate of a client), stanzas stay in `waiting`, where it is
 * certain that they were not written.
 *
 * ```
 *            room in the window      request sent           pong or ack
 *  waiting ────────────────────▶ written ─────▶ requested ─────────────▶ resolved
 *     │ expired: busy               │             │ request timeout: no_answer
 *     │ disconnect: unavailable     └─────────────┴ disconnect: no_answer, or message_too_large
 * ```
 */
export function createStanzaChannel(
  writer: StreamWriter,
  answerTimeout: () => number,
  sizeLimit: StanzaSizeLimit = createStanzaSizeLimit(),
): StanzaChannel {
  return new ConfirmedChannel(writer, answerTimeout, sizeLimit);
}

class ConfirmedChannel implements StanzaChannel {
  readonly #writer: StreamWriter;
  readonly #answerTimeout: () => number;
  readonly #sizeLimit: StanzaSizeLimit;
  readonly #idPrefix = `porter-${randomId()}-`;
  readonly #waiting = new Set<Entry>();
  #waitingSize = 0;
  #written: Entry[] = [];
  #requested: Entry[] = [];
  /** Characters of `#written` and `#requested`. */
  #windowUsed = 0;
  /** The number in the last ack. */
  #handledStanzas = 0;
  #requests = 0;
  #request: 'none' | 'scheduled' | 'pending' = 'none';
  #isClosed = false;
  #requestTimer: NodeJS.Timeout | undefined;
  #expiryTimer: NodeJS.Timeout | undefined;

  constructor(writer: StreamWriter, answerTimeout: () => number, sizeLimit: StanzaSizeLimit) {
    this.#writer = writer;
    this.#answerTimeout = answerTimeout;
    this.#sizeLimit = sizeLimit;
  }

  send(xml: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(new Refusal('unavailable'));
      const refusal = this.#sizeLimit.refusalFor(xml);
      if (refusal) return reject(refusal);
      if (this.#waitingSize + xml.length > MAX_WAITING_SIZE && this.#waiting.size > 0)
        return reject(tooSlow());
      this.#waiting.add({ xml, expiresAt: performance.now() + this.#answerTimeout(), resolve, reject });
      this.#waitingSize += xml.length;
      this.#fillWindow();
    });
  }

  handlePong(id: string): boolean {
    if (!id.startsWith(this.#idPrefix)) return false;
    if (this.#request === 'pending' && id === this.#idPrefix + this.#requests) {
      this.#endRequest((entry) => entry.resolve());
    }
    return true;
  }

  handleAck(handledStanzas: number): boolean {
    const count = (handledStanzas - this.#handledStanzas) % 2 ** 32;
    const newlyHandled = count < 0 ? count + 2 ** 32 : count;
    const others = newlyHandled - this.#requested.length;
    if (!(others <= this.#written.length)) return false;
    this.#handledStanzas = handledStanzas;
    const handled = [
      ...this.#requested.splice(0, newlyHandled),
      ...this.#written.splice(0, Math.max(0, others)),
    ];
    this.#settle(handled, (entry) => entry.resolve());
    if (this.#requested.length === 0 && this.#request === 'pending') this.#endRequest();
    else this.#fillWindow();
    return true;
  }

  handleDisconnect(reason?: unknown): void {
    this.#isClosed = true;
    clearTimeout(this.#requestTimer);
    clearTimeout(this.#expiryTimer);
    this.#rejectTooLarge(isPolicyViolation(reason));
    for (const entry of [...this.#requested, ...this.#written]) entry.reject(new Refusal('no_answer'));
    for (const entry of this.#waiting) entry.reject(new Refusal('unavailable'));
    this.#waiting.clear();
    this.#requested = [];
    this.#written = [];
  }

  /**
   * Refuses the largest unconfirmed stanza, because the server does not name the stanza that it did not accept. The others may be
   * sent again. If the largest one were among them, the server would end every new stream.
   */
  #rejectTooLarge(isViolation: boolean): void {
    const [first, ...others] = [...this.#requested, ...this.#written];
    if (first === undefined) return;
    const largest = others.reduce((max, entry) => (entry.xml.length > max.xml.length ? entry : max), first);
    const bytes = Buffer.byteLength(largest.xml);
    const refusal = isViolation ? this.#sizeLimit.recordViolation(bytes) : this.#sizeLimit.recordLoss(bytes);
    if (refusal) largest.reject(refusal);
  }

  #fillWindow(): void {
    for (const entry of this.#waiting) {
      if (this.#windowUsed > 0 && this.#windowUsed + entry.xml.length > WINDOW_SIZE) break;
      this.#removeWaiting(entry);
      this.#write(entry);
    }
    if (this.#request === 'none' && this.#written.length > 0) {
      // Deferred, so that the request also covers the other stanzas of this turn of the event loop.
      this.#request = 'scheduled';
      setImmediate(() => this.#sendRequest());
    }
    if (this.#waiting.size > 0) {
      this.#expiryTimer ??= setTimeout(() => this.#expireWaiting(), this.#msUntilExpiry());
    }
  }

  #removeWaiting(entry: Entry): void {
    this.#waiting.delete(entry);
    this.#waitingSize -= entry.xml.length;
  }

  #write(entry: Entry): void {
    try {
      this.#writer.write(entry.xml);
      this.#written.push(entry);
      this.#windowUsed += entry.xml.length;
    } catch (cause) {
      entry.reject(new Refusal('unavailable', { cause }));
    }
  }

  #msUntilExpiry(): number {
    const [first] = this.#waiting;
    return Math.max(1, (first?.expiresAt ?? 0) - performance.now());
  }

  #expireWaiting(): void {
    this.#expiryTimer = undefined;
    const now = performance.now();
    for (const entry of this.#waiting) {
      if (entry.expiresAt > now) break;
      this.#removeWaiting(entry);
      entry.reject(tooSlow());
    }
    this.#fillWindow();
  }

  #sendRequest(): void {
    this.#request = 'none';
    if (this.#isClosed || this.#written.length === 0) return;
    this.#request = 'pending';
    this.#requested = this.#written;
    this.#written = [];
    this.#requests += 1;
    this.#requestTimer = setTimeout(() => this.#handleRequestTimeout(), this.#answerTimeout());
    try {
      this.#writer.write(this.#writer.formatRequest(this.#idPrefix + this.#requests));
    } catch {
      this.handleDisconnect();
    }
  }

  /** Rejects the waiting stanzas first, so that they are not written to a stream that is about to be closed. */
  #handleRequestTimeout(): void {
    for (const entry of this.#waiting) {
      this.#removeWaiting(entry);
      entry.reject(tooSlow());
    }
    this.#endRequest((entry) => entry.reject(new Refusal('no_answer')));
    this.#writer.onRequestTimeout();
  }

  /** Settles the stanzas before the pending request, and writes further ones. */
  #endRequest(settle: (entry: Entry) => void = () => undefined): void {
    clearTimeout(this.#requestTimer);
    this.#request = 'none';
    this.#settle(this.#requested.splice(0), settle);
    this.#fillWindow();
  }

  #settle(entries: readonly Entry[], settle: (entry: Entry) => void): void {
    for (const entry of entries) {
      this.#windowUsed -= entry.xml.length;
      settle(entry);
    }
  }
}

/** A stream error of the server (RFC 6120 §4.9.3.14). */
function isPolicyViolation(reason: unknown): boolean {
  return (reason as { condition?: unknown } | undefined)?.condition === 'policy-violation';
}

function tooSlow(): Refusal {
  return new Refusal('busy', { text: 'The XMPP server accepts messages too slowly. Try again later.' });
}
