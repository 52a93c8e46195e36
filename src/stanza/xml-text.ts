/** What XML 1.0 §2.2 does not allow, lone halves of surrogate pairs included: one of them on a stream ends it. */
export const FORBIDDEN_XML_CHARACTER = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/u;
const EACH = new RegExp(FORBIDDEN_XML_CHARACTER.source, 'gu');

/** A text as XML can carry it: forbidden characters become U+FFFD, so that one sees that something was there. */
export function toXmlText(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(EACH, '\u{fffd}');
}
