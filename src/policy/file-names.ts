/** Result of the check of a file name. */
export type FileNameCheck = 'valid' | 'empty' | 'too_long' | 'malformed';

export const MAX_NAME_BYTES = 255;

/** Checks whether a name may be stored and shown. Names are never used as paths. */
export function checkFileName(name: string): FileNameCheck {
  if (name.trim() === '') return 'empty';
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return 'too_long';
  if (name === '.' || name === '..' || /[/\p{Cc}\p{Cs}]/u.test(name)) return 'malformed';
  return 'valid';
}

const MAX_SLUG_LENGTH = 80;

/**
 * Returns an ASCII form of a name for URLs, with its extension. It has only `[A-Za-z0-9_.-]`, because some servers encode URLs
 * a second time (docs/protocols.md, "Slot API of ejabberd and django"). It is decoration: files are found by id.
 */
export function slug(name: string): string {
  const extension = fileExtension(name);
  const suffix = extension === '' ? '' : `.${extension}`;
  const stem = name
    .slice(0, name.length - suffix.length)
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^A-Za-z0-9_.-]+/g, '_')
    .replace(/\.{2,}/g, '.')
    .slice(0, MAX_SLUG_LENGTH)
    .replace(/^[._]+|[._]+$/g, '');
  return `${stem || 'file'}${suffix}`;
}

/** Returns the extension of a name in lower case without its dot; empty if it has none of 1 to 10 letters and digits. */
export function fileExtension(name: string): string {
  return /\.([A-Za-z0-9]{1,10})$/.exec(name)?.[1]?.toLowerCase() ?? '';
}
