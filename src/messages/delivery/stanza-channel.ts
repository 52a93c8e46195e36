import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';

/** The stream that a channel writes to. */
export interface StreamWriter {
  /** Writes at once, in the order of the calls. Throws where the stream is gone: then nothing was written. */
  write(xml: string): void;
  /** An iq with this id that the server answers, or passes back to us, after all that was written before it. */
  formatPing(id: string): string;
  /** The server has not answered a ping in time. */
  onPingTimeout(): void;
}

/** Sends stanzas on one stream and knows when the server has taken them. */
export interface StanzaChannel {
  /**
   * Writes one stanza after all earlier ones, at once where not too much is under way, and resolves when the server
   * has taken it. Refusals: `unavailable` and `busy` (it was not written), `no_answer` (it was).
   */
  send(xml: string): Promise<void>;
  /** Is this the id of our ping? Then what was written before it has been taken. */
  handlePong(id: string): boolean;
  /** The stream is gone. */
  handleDisconnect(): void;
}

/** Characters that may be on the way without the server having said that it took them. */
const WINDOW = 48 * 1024;
/** Characters that may wait behind the window. */
const MAX_WAITING = 8 * 1024 * 1024;

interface Entry {
  readonly xml: string;
  /** As `performance.now()` has it. */
  readonly expires: number;
  readonly resolve: () => void;
  readonly reject: (reason: Refusal) => void;
}

/**
 * Servers take the stanzas of a stream one after the other, so the answer to a ping says that all before it have been
 * taken. One ping is under way at a time and covers what was written until it left. What a server is slow to
 * take (many slow clients down on purpose) waits here, where it is known that it was not written; for
 * `answerTimeout` milliseconds, as long as the server has for an answer.
 */
export function createStanzaChannel(voice: StreamWriter, answerTimeout: () => number): StanzaChannel {
  const prefix = `porter-${randomId()}-`;
  const waiting = new Set<Entry>();
  let waitingSize = 0;
  let written: Entry[] = [];
  let asked: Entry[] = [];
  let underWay = 0;
  let pings = 0;
  let isAsking = false;
  let isAboutToAsk = false;
  let isGone = false;
  let silence: NodeJS.Timeout | undefined;
  let patience: NodeJS.Timeout | undefined;

  function post(xml: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (isGone) return reject(new Refusal('unavailable'));
      if (waitingSize + xml.length > MAX_WAITING && waiting.size > 0) return reject(tooSlow());
      waiting.add({ xml, expires: performance.now() + answerTimeout(), resolve, reject });
      waitingSize += xml.length;
      pump();
    });
  }

  function pump(): void {
    for (const entry of waiting) {
      if (underWay > 0 && underWay + entry.xml.length > WINDOW) break;
      take(entry);
      write(entry);
    }
    if (!isAsking && !isAboutToAsk && written.length > 0) {
      // What else is written at this moment is covered by the same ping.
      isAboutToAsk = true;
      setImmediate(ask);
    }
    if (waiting.size > 0) patience ??= setTimeout(expire, nextExpiry());
  }

  function take(entry: Entry): void {
    waiting.delete(entry);
    waitingSize -= entry.xml.length;
  }

  function write(entry: Entry): void {
    try {
      voice.write(entry.xml);
      written.push(entry);
      underWay += entry.xml.length;
    } catch (cause) {
      entry.reject(new Refusal('unavailable', { cause }));
    }
  }

  function nextExpiry(): number {
    const [first] = waiting;
    return Math.max(1, (first?.expires ?? 0) - performance.now());
  }

  function expire(): void {
    patience = undefined;
    const now = performance.now();
    for (const entry of waiting) {
      if (entry.expires > now) break;
      take(entry);
      entry.reject(tooSlow());
    }
    pump();
  }

  function ask(): void {
    isAboutToAsk = false;
    if (isGone || written.length === 0) return;
    isAsking = true;
    asked = written;
    written = [];
    pings += 1;
    silence = setTimeout(onSilence, answerTimeout());
    try {
      voice.write(voice.formatPing(prefix + pings));
    } catch {
      fail();
    }
  }

  /** What waits would be written to nobody. */
  function onSilence(): void {
    for (const entry of waiting) {
      take(entry);
      entry.reject(tooSlow());
    }
    settle((entry) => entry.reject(new Refusal('no_answer')));
    voice.onPingTimeout();
  }

  function settle(how: (entry: Entry) => void): void {
    clearTimeout(silence);
    isAsking = false;
    const settled = asked;
    asked = [];
    for (const entry of settled) {
      underWay -= entry.xml.length;
      how(entry);
    }
    pump();
  }

  function fail(): void {
    isGone = true;
    clearTimeout(silence);
    clearTimeout(patience);
    for (const entry of [...asked, ...written]) entry.reject(new Refusal('no_answer'));
    for (const entry of waiting) entry.reject(new Refusal('unavailable'));
    waiting.clear();
    asked = [];
    written = [];
  }

  return {
    send: post,
    handlePong(id) {
      if (!id.startsWith(prefix)) return false;
      if (isAsking && id === prefix + pings) settle((entry) => entry.resolve());
      return true;
    },
    handleDisconnect: fail,
  };
}

function tooSlow(): Refusal {
  return new Refusal('busy', { text: 'The XMPP server takes messages more slowly than they come.' });
}
