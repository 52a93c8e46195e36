/** The type of files for which the client gave no type. */
export const UNKNOWN_TYPE = 'application/octet-stream';

const TOKEN = "[A-Za-z0-9!#$%&'*+.^_`|~-]+";
const QUOTED = '"(?:[\\t !#-\\[\\]-~]|\\\\[\\t -~])*"';
/** Syntax of RFC 9110 §8.3.1 in ASCII. Anything else, such as a second type after a comma, could be read as another type. */
const MEDIA_TYPE = new RegExp(
  `^${TOKEN}/${TOKEN}[ \\t]*(?:;[ \\t]*(?:${TOKEN}=(?:${TOKEN}|${QUOTED})[ \\t]*)?)*$`,
);
const MAX_LENGTH = 255;

/** Returns a trimmed media type, or undefined if it is malformed. */
export function parseMediaType(text: string): string | undefined {
  const type = text.trim();
  return type.length <= MAX_LENGTH && MEDIA_TYPE.test(type) ? type : undefined;
}

/** Returns `type/subtype` in lower case, without parameters. */
export function mediaTypeEssence(type: string): string {
  return (type.split(';', 1)[0] ?? '').trim().toLowerCase();
}

/** Returns whether a type matches one of the types or ranges (`image/png`, `image/*`, `*` + `/*`). */
export function matchesMediaRange(type: string, ranges: readonly string[]): boolean {
  const actual = mediaTypeEssence(type);
  return ranges.some((range) => {
    const wanted = mediaTypeEssence(range);
    if (wanted === '*/*' || wanted === '*') return true;
    return wanted.endsWith('/*') ? actual.startsWith(wanted.slice(0, -1)) : actual === wanted;
  });
}

/**
 * Returns whether the type of a PUT contradicts the type of its slot. Only if both name one: many clients send none
 * (docs/protocols.md, "PUT answers"), and `application/octet-stream` counts as none.
 */
export function isTypeMismatch(given: string | null, declared: string): boolean {
  const putType = mediaTypeEssence(given ?? '');
  const slotType = mediaTypeEssence(declared);
  return putType !== '' && slotType !== UNKNOWN_TYPE && putType !== slotType;
}

/** Types that can run scripts in a browser. They are never shown inline, whatever the config says. */
const ACTIVE_TYPES = /^(?:text\/(?:html|xml|xsl)|application\/(?:xml|xhtml\+xml|xslt\+xml)|.*\+xml)$/;

export function isShownInline(type: string, inlineTypes: readonly string[]): boolean {
  return !ACTIVE_TYPES.test(mediaTypeEssence(type)) && matchesMediaRange(type, inlineTypes);
}
