import { Refusal } from '../../base/errors.ts';
import { formatSize } from '../../base/units.ts';

/**
 * The largest stanza that an XMPP server accepts. Servers end the stream of a sender that exceeds their limit, and unconfirmed
 * stanzas may be lost. Such a stanza must not be written again.
 */
export interface StanzaSizeLimit {
  /** Returns the refusal (`message_too_large`) of a stanza, or undefined if the server may accept it. */
  refusalFor(stanza: string): Refusal | undefined;
  /** Records that the server ended the stream because of a stanza of so many bytes. Returns the refusal for its sender. */
  recordViolation(bytes: number): Refusal;
  /**
   * Records that the stream broke while a stanza of so many bytes was unconfirmed. The server may have ended the stream because of
   * it: the stream error is lost if the server closes the socket before it has read everything. Returns the refusal if this has
   * happened to a stanza of this size before.
   */
  recordLoss(bytes: number): Refusal | undefined;
}

/** Every server accepts stanzas up to this size (RFC 6120 §13.12), so a smaller one was refused for another reason. */
const ALWAYS_ACCEPTED_BYTES = 10_000;
/** After this time, a larger stanza is sent again, because an admin may have raised the limit. */
const LEARNED_FOR_MS = 3_600_000;

/** `announced`: bytes that the server has announced (XEP-0478), or null. `now` returns milliseconds. */
export function createStanzaSizeLimit(
  announced: number | null = null,
  now: () => number = () => performance.now(),
): StanzaSizeLimit {
  let learned: { readonly below: number; readonly until: number } | undefined;
  let lost: { readonly bytes: number; readonly until: number } | undefined;

  function recordViolation(bytes: number): Refusal {
    if (bytes > ALWAYS_ACCEPTED_BYTES) {
      const below = Math.min(bytes, learned?.below ?? bytes);
      learned = { below, until: now() + LEARNED_FOR_MS };
    }
    return tooLarge(
      `The XMPP server has ended the connection because of this message of ${bytes} bytes. It is probably too large for the server.`,
    );
  }

  return {
    recordViolation,
    recordLoss(bytes) {
      if (bytes <= ALWAYS_ACCEPTED_BYTES) return undefined;
      if (lost?.bytes === bytes && now() < lost.until) return recordViolation(bytes);
      lost = { bytes, until: now() + LEARNED_FOR_MS };
      return undefined;
    },
    refusalFor(stanza) {
      // Most servers have no known limit, and then nothing is measured.
      if (announced === null && learned === undefined) return undefined;
      const bytes = Buffer.byteLength(stanza);
      if (announced !== null && bytes > announced) {
        return tooLarge(
          `The XMPP server accepts at most ${formatSize(announced)} (${announced} bytes) for one message with all its parts.`,
        );
      }
      if (learned === undefined || now() >= learned.until || bytes < learned.below) return undefined;
      return tooLarge(
        `The XMPP server has refused a message of ${learned.below} bytes, and this one has ${bytes}.`,
      );
    },
  };
}

const tooLarge = (text: string) => new Refusal('message_too_large', { text });
