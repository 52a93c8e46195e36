/*
 * Sends long texts by PostgreSQL's NOTIFY, whose payloads must be shorter than 8,000 bytes (PostgreSQL manual, NOTIFY). A text is sent
 * as several notifications in one transaction, so that notifications of different texts do not mix.
 */

export const MAX_TEXT_CHARACTERS = 1_000_000;
const CHUNK_CHARACTERS = 7_900;

/** Splits a JSON text into payloads `INDEX/COUNT CHUNK`. They are ASCII, so that each character has one byte. */
export function splitIntoNotifications(json: string): string[] {
  const ascii = json.replace(/[\u0080-\uffff]/g, escapeCharacter);
  const count = Math.max(1, Math.ceil(ascii.length / CHUNK_CHARACTERS));
  // The index also makes equal chunks different: PostgreSQL drops repeated notifications of a transaction.
  return Array.from(
    { length: count },
    (_, i) => `${i + 1}/${count} ${ascii.slice(i * CHUNK_CHARACTERS, (i + 1) * CHUNK_CHARACTERS)}`,
  );
}

/**
 * Returns a function that takes payloads in their order and calls `onText` with each complete text. A text whose
 * first payload was missed is dropped.
 */
export function createNotificationAssembler(onText: (json: string) => void): (payload: string) => void {
  let chunks: string[] = [];
  return (payload) => {
    const [, index, count, chunk = ''] = /^(\d+)\/(\d+) (.*)$/s.exec(payload) ?? [];
    if (Number(index) === 1) chunks = [];
    if (Number(index) !== chunks.length + 1) return;
    chunks.push(chunk);
    if (Number(count) !== chunks.length) return;
    const text = chunks.join('');
    chunks = [];
    onText(text);
  };
}

/** Returns the JSON escape of a character. Non-ASCII characters occur only in JSON strings, where the escape has the same meaning. */
function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
