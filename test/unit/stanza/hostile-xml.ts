/**
 * Texts that are cheap to send and made parsers rescan, copy or recurse. Each is about `length` characters of a stream or
 * a document, without its end: a parser must do work in proportion to the length and keep memory within its budget.
 */
export const HOSTILE_XML: Readonly<Record<string, (length: number) => string>> = {
  'brackets in CDATA': (length) => `<a><![CDATA[${']'.repeat(length)}`,
  'ends of CDATA that are none': (length) => `<a><![CDATA[${']]x]'.repeat(length / 4)}`,
  'many short CDATA sections': (length) => `<a>${'<![CDATA[]]]>'.repeat(length / 13)}`,
  'text without delimiter': (length) => `<a>${'x'.repeat(length)}`,
  'brackets in text': (length) => `<a>${']'.repeat(length)}`,
  'quotes in text': (length) => `<a>${`"'`.repeat(length / 2)}`,
  'an attribute without closing quote': (length) => `<a b="${"'x>".repeat(length / 3)}`,
  'an attribute name without end': (length) => `<a ${'b'.repeat(length)}`,
  'a tag name without end': (length) => `<${'a'.repeat(length)}`,
  'a closing tag without end': (length) => `<a></${'a'.repeat(length)}`,
  'a tag of white space': (length) => `<a${' \n'.repeat(length / 2)}`,
  'white space between stanzas': (length) => ' \n'.repeat(length / 2),
  'carriage returns': (length) => `<a>${'\r'.repeat(length)}`,
  'an entity without end': (length) => `<a>&${'x'.repeat(length)}`,
  'a character reference without end': (length) => `<a>&#${'1'.repeat(length)}`,
  'many entities': (length) => `<a>${'&lt;'.repeat(length / 4)}`,
  'a comment without end': (length) => `<a><!--${'- '.repeat(length / 2)}`,
  'a processing instruction without end': (length) => `<a><?b ${'?'.repeat(length)}`,
  'a declaration without end': (length) => `<a><!${'D'.repeat(length)}`,
  'many attributes': (length) =>
    `<a ${Array.from({ length: length / 12 }, (_, index) => `b${index.toString(36)}='c' `).join('')}`,
  'many elements': (length) => `<a>${'<b/>'.repeat(length / 4)}`,
  'deep elements': (length) => '<a>'.repeat(length / 3),
  'deep elements with attributes': (length) => `<a b='c'>`.repeat(length / 9),
};

/** Complete documents that grow or recurse when they are read, checked or made canonical. */
export const HOSTILE_DOCUMENTS: Readonly<Record<string, string>> = {
  'entities that multiply': `<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><a>&c;</a>`,
  'an external entity': `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>`,
  'a name of Object.prototype as entity': '<a>&constructor;&__proto__;</a>',
  'one long namespace for many elements': `<a xmlns:p='${'n'.repeat(100_000)}'>${'<p:b/>'.repeat(10_000)}</a>`,
  'one long namespace for many attributes': `<a xmlns:p='${'n'.repeat(100_000)}'>${"<b p:c=''/>".repeat(10_000)}</a>`,
  'too many elements': `<a>${'<b/>'.repeat(60_000)}</a>`,
  'too many attributes': `<a ${Array.from({ length: 60_000 }, (_, index) => `b${index}=''`).join(' ')}/>`,
  'too deep elements': `${'<a>'.repeat(50_000)}${'</a>'.repeat(50_000)}`,
  'duplicate attributes': "<a b='' b=''/>",
  'an attribute of every prefix': "<a xmlns:a='u' xmlns:b='u' a:c='1' b:c='2' d:c='3'/>",
  'an unpaired surrogate that hides a tag': '<a>\u{d83d}<b/></a>',
  'a control character by reference': '<a>&#27;</a>',
  'XML 1.1': "<?xml version='1.1'?><a>&#27;</a>",
};
