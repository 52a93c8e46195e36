/** What is served where nobody said a type (XEP-0363 §6). */
export const UNKNOWN_TYPE = 'application/octet-stream';

const TOKEN = "[A-Za-z0-9!#$%&'*+.^_`|~-]+";
/** RFC 9110 §8.3.1, and nothing that could break out of a header. */
const MEDIA_TYPE = new RegExp(`^${TOKEN}/${TOKEN}[ \\t]*(?:;[\\t -~]*)?$`);
const MAX_LENGTH = 255;

/** A media type as it can be kept and served, or undefined where it is malformed. */
export function parseMediaType(text: string): string | undefined {
  const type = text.trim();
  return type.length <= MAX_LENGTH && MEDIA_TYPE.test(type) ? type : undefined;
}

/** `type/subtype`, lower case, without parameters. */
export function mediaTypeEssence(type: string): string {
  return (type.split(';', 1)[0] ?? '').trim().toLowerCase();
}

/** Is it one of these types or ranges (`image/png`, `image/*`, `*` + `/*`)? */
export function matchesMediaRange(type: string, ranges: readonly string[]): boolean {
  const own = mediaTypeEssence(type);
  return ranges.some((range) => {
    const wanted = mediaTypeEssence(range);
    if (wanted === '*/*' || wanted === '*') return true;
    return wanted.endsWith('/*') ? own.startsWith(wanted.slice(0, -1)) : own === wanted;
  });
}

/**
 * Do a PUT's type and the slot's contradict each other? Only where both name one (FIELD 2.4, rule 9), and
 * a slot of the unknown type names none.
 */
export function isTypeMismatch(given: string | null, declared: string): boolean {
  const theirs = mediaTypeEssence(given ?? '');
  const isPorter = mediaTypeEssence(declared);
  return theirs !== '' && isPorter !== UNKNOWN_TYPE && theirs !== isPorter;
}

/** Types that run scripts when a browser shows them: never inline, whatever the config says. */
const ACTIVE = /^(?:text\/(?:html|xml|xsl)|application\/(?:xml|xhtml\+xml|xslt\+xml)|.*\+xml)$/;

export function isShownInline(type: string, inlineTypes: readonly string[]): boolean {
  return !ACTIVE.test(mediaTypeEssence(type)) && matchesMediaRange(type, inlineTypes);
}
