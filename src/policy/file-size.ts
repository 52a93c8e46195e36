/** A refused size. */
export interface InvalidSize {
  /** The reason, as a sentence for the user. */
  readonly problem: string;
}

/** Parses the size of a slot request in bytes: decimal digits without leading zeros, or a number from JSON. */
export function parseFileSize(given: string | number): number | InvalidSize {
  const text = String(given);
  const size = /^(?:0|[1-9]\d*)$/.test(text) ? Number(text) : Number.NaN;
  if (size > 0 && Number.isSafeInteger(size)) return size;
  return { problem: describeProblem(text, size) };
}

function describeProblem(text: string, size: number): string {
  if (size === 0) return 'Empty files cannot be sent.';
  if (!Number.isNaN(size) || /^\d+(?:\.\d+)?e\+\d+$/.test(text)) {
    return `The size is too large: a file has at most ${Number.MAX_SAFE_INTEGER} bytes.`;
  }
  if (/^-\d/.test(text)) return 'The size cannot be negative.';
  if (/^\d*\.\d+$/.test(text)) return 'The size must be a whole number of bytes, without decimals.';
  return 'The size must be a whole number of bytes, in digits.';
}

/** AES-GCM appends a tag of 16 bytes (OMEMO, XEP-0454); some clients add the nonce. */
const ENCRYPTION_BYTES = { min: 16, max: 32 };

/** Returns a hint if a body is longer than its slot by as many bytes as encryption adds. Empty for other lengths. */
export function explainExtraBytes(extra: number): string {
  if (extra < ENCRYPTION_BYTES.min || extra > ENCRYPTION_BYTES.max) return '';
  return ` The client seems to have encrypted the file after it requested the slot: encryption adds ${extra} bytes.`;
}
