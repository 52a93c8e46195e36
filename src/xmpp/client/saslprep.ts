// RFC 3454 tables B.1 (mapped to nothing) and C.1.2 (spaces other than the ASCII one).
const TO_NOTHING = /\u034f|[\u180b-\u180d\ufe00-\ufe0f]|[\u00ad\u1806\u200b\u2060\ufeff]|\u200c|\u200d/g;
const TO_SPACE = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g;
// Of its tables C: controls, private use, halves of surrogate pairs, code points that are no characters.
const FORBIDDEN = /[\p{Cc}\p{Co}\p{Cs}\p{Noncharacter_Code_Point}\u2028\u2029\ufffc\ufffd]/u;

/**
 * A password as servers compare it (SASLprep, RFC 4013): its mappings, NFKC, and its forbidden characters.
 * Undefined where it has one of those. What it says of writing directions and of unassigned code points
 * is left to the server, which compares and does not trust us.
 */
export function preparePassword(password: string): string | undefined {
  const prepared = password.replace(TO_SPACE, ' ').replace(TO_NOTHING, '').normalize('NFKC');
  return prepared === '' || FORBIDDEN.test(prepared) ? undefined : prepared;
}
