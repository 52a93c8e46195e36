import xml from '@xmpp/xml';

/** Characters that XML 1.0 §2.2 forbids, including unpaired surrogates. One of them on a stream ends the stream. */
export const FORBIDDEN_XML_CHARACTER = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/u;
const EACH_FORBIDDEN = new RegExp(FORBIDDEN_XML_CHARACTER.source, 'gu');

/** Returns the text as XML can carry it: line ends become LF, forbidden characters U+FFFD. */
export function toXmlText(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(EACH_FORBIDDEN, '\u{fffd}');
}

/** Escapes a text for an attribute in quotes, and for the content of an element. Both leave forbidden characters. */
export const escapeAttribute = (text: string): string => xml.escapeXML(text);
export const escapeText = (text: string): string => xml.escapeXMLText(text);
