/**
 * Long texts over PostgreSQL's notifications, which carry less than 8,000 bytes each. All of one text travel in one
 * transaction, and those of another never come between them.
 */

/** Characters of one text. */
export const MAX_TEXT_CHARACTERS = 1_000_000;
const PIECE = 7_900;

/** The pieces of a text, to be sent in one statement. Plain ASCII, so that characters are bytes. */
export function splitIntoNotifications(text: string): string[] {
  const ascii = text.replace(/[\u0080-\uffff]/g, escaped);
  const count = Math.max(1, Math.ceil(ascii.length / PIECE));
  // Numbered, because PostgreSQL drops a notification that is the same as one before.
  return Array.from(
    { length: count },
    (_, i) => `${i + 1}/${count} ${ascii.slice(i * PIECE, (i + 1) * PIECE)}`,
  );
}

/** Puts pieces together again, in the order in which they come; a text whose beginning was missed is left out. */
export function createNotificationAssembler(onText: (text: string) => void): (piece: string) => void {
  let parts: string[] = [];
  return (piece) => {
    const [, index, count, part = ''] = /^(\d+)\/(\d+) (.*)$/s.exec(piece) ?? [];
    if (Number(index) === 1) parts = [];
    if (Number(index) !== parts.length + 1) return;
    parts.push(part);
    if (Number(count) !== parts.length) return;
    const text = parts.join('');
    parts = [];
    onText(text);
  };
}

/** Only ever inside a JSON string. */
function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
