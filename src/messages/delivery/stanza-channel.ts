import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import { createStanzaSizeLimit, type StanzaSizeLimit } from './stanza-size-limit.ts';

/** The stream that a channel writes to. */
export interface StreamWriter {
  /** Writes at once, in the order of the calls. Throws if the stream is closed; then nothing was written. */
  write(xml: string): void;
  /** Formats an iq with this id that the server answers, or returns, after everything written before it. */
  formatPing(id: string): string;
  /** Called if the server did not answer a ping in time. */
  onPingTimeout(): void;
}

/** Sends stanzas on one stream and detects when the server has accepted them. */
export interface StanzaChannel {
  /**
   * Writes a stanza after all earlier ones and resolves when the server has accepted it. Refusals: `unavailable` and
   * `busy` (it was not written), `no_answer` (it was written), `message_too_large` (the server does not take it).
   */
  send(xml: string): Promise<void>;
  /** Returns true if this is the id of a ping of this channel. Confirms the stanzas written before that ping. */
  handlePong(id: string): boolean;
  /**
   * The stream is closed. If the server ended it with `policy-violation`, as servers do when a stanza is too large, the largest
   * stanza that it had not accepted is refused with `message_too_large`. So is one that was the largest in two closed streams.
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
 * `answerTimeout` returns the milliseconds that a server has to answer a ping, and that a stanza may wait to be
 * written.
 *
 * A server processes the stanzas of a stream in order, so the answer to a ping confirms all stanzas before it. One ping
 * is pending at a time. If a server is slow (many limit the rate of a client), stanzas stay in `waiting`, where it is
 * certain that they were not written.
 *
 * ```
 *            room in the window       ping sent             pong
 *  waiting ────────────────────▶ written ─────▶ pinged ─────────────▶ resolved
 *     │ expired: busy               │             │ ping timeout: no_answer
 *     │ disconnect: unavailable     └─────────────┴ disconnect: no_answer, or message_too_large
 * ```
 */
export function createStanzaChannel(
  writer: StreamWriter,
  answerTimeout: () => number,
  sizeLimit: StanzaSizeLimit = createStanzaSizeLimit(),
): StanzaChannel {
  return new PingedChannel(writer, answerTimeout, sizeLimit);
}

class PingedChannel implements StanzaChannel {
  readonly #writer: StreamWriter;
  readonly #answerTimeout: () => number;
  readonly #sizeLimit: StanzaSizeLimit;
  readonly #idPrefix = `porter-${randomId()}-`;
  readonly #waiting = new Set<Entry>();
  #waitingSize = 0;
  #written: Entry[] = [];
  #pinged: Entry[] = [];
  /** Characters of `#written` and `#pinged`. */
  #windowUsed = 0;
  #pings = 0;
  #ping: 'none' | 'scheduled' | 'pending' = 'none';
  #isClosed = false;
  #pingTimer: NodeJS.Timeout | undefined;
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
    if (this.#ping === 'pending' && id === this.#idPrefix + this.#pings) {
      this.#settlePinged((entry) => entry.resolve());
    }
    return true;
  }

  handleDisconnect(reason?: unknown): void {
    this.#isClosed = true;
    clearTimeout(this.#pingTimer);
    clearTimeout(this.#expiryTimer);
    this.#rejectTooLarge(isPolicyViolation(reason));
    for (const entry of [...this.#pinged, ...this.#written]) entry.reject(new Refusal('no_answer'));
    for (const entry of this.#waiting) entry.reject(new Refusal('unavailable'));
    this.#waiting.clear();
    this.#pinged = [];
    this.#written = [];
  }

  /**
   * The server does not name the stanza that it did not take: the largest one is refused. The others may be sent again, which
   * would be a loop with this one among them.
   */
  #rejectTooLarge(isViolation: boolean): void {
    const [first, ...others] = [...this.#pinged, ...this.#written];
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
    if (this.#ping === 'none' && this.#written.length > 0) {
      // Deferred, so that the ping also covers the other stanzas of this turn of the event loop.
      this.#ping = 'scheduled';
      setImmediate(() => this.#sendPing());
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

  #sendPing(): void {
    this.#ping = 'none';
    if (this.#isClosed || this.#written.length === 0) return;
    this.#ping = 'pending';
    this.#pinged = this.#written;
    this.#written = [];
    this.#pings += 1;
    this.#pingTimer = setTimeout(() => this.#handlePingTimeout(), this.#answerTimeout());
    try {
      this.#writer.write(this.#writer.formatPing(this.#idPrefix + this.#pings));
    } catch {
      this.handleDisconnect();
    }
  }

  /** Rejects the waiting stanzas first, so that they are not written to a stream that is about to be closed. */
  #handlePingTimeout(): void {
    for (const entry of this.#waiting) {
      this.#removeWaiting(entry);
      entry.reject(tooSlow());
    }
    this.#settlePinged((entry) => entry.reject(new Refusal('no_answer')));
    this.#writer.onPingTimeout();
  }

  #settlePinged(settle: (entry: Entry) => void): void {
    clearTimeout(this.#pingTimer);
    this.#ping = 'none';
    const pinged = this.#pinged;
    this.#pinged = [];
    for (const entry of pinged) {
      this.#windowUsed -= entry.xml.length;
      settle(entry);
    }
    this.#fillWindow();
  }
}

/** A stream error of the server (RFC 6120 §4.9.3.14). */
function isPolicyViolation(reason: unknown): boolean {
  return (reason as { condition?: unknown } | undefined)?.condition === 'policy-violation';
}

function tooSlow(): Refusal {
  return new Refusal('busy', { text: 'The XMPP server accepts messages too slowly. Try again later.' });
}
