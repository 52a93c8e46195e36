import xml from '@xmpp/xml';

/** Characters that XML 1.0 §2.2 forbids, including unpaired surrogates. An XMPP server ends a stream with one of them. */
const FORBIDDEN_XML_CHARACTER = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/u;
const EACH_FORBIDDEN = new RegExp(FORBIDDEN_XML_CHARACTER.source, 'gu');

/** Makes a text valid in XML: line ends become LF, and forbidden characters become U+FFFD. */
export function toXmlText(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(EACH_FORBIDDEN, '\u{fffd}');
}

/** Escape a text for an attribute in quotes, and for the content of an element. They do not replace forbidden characters. */
export const escapeAttribute = (text: string): string => xml.escapeXML(text);
export const escapeText = (text: string): string => xml.escapeXMLText(text);
