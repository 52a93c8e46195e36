/** A file's name as it may be kept and shown; never used as a path. */
export type FileNameCheck = 'fine' | 'empty' | 'too_long' | 'malformed';

export const MAX_NAME_BYTES = 255;

export function checkFileName(name: string): FileNameCheck {
  if (name.trim() === '') return 'empty';
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return 'too_long';
  if (name === '.' || name === '..' || /[/\p{Cc}\p{Cs}]/u.test(name)) return 'malformed';
  return 'fine';
}

const SLUG_LENGTH = 80;

/**
 * An ASCII form of a name for URLs, its ending kept: only `[A-Za-z0-9_.-]`, so that servers which encode
 * URLs a second time leave it alone (FIELD 5.4). Decoration: files are found by id.
 */
export function slug(name: string): string {
  const ending = fileExtension(name);
  const tail = ending === '' ? '' : `.${ending}`;
  const stem = name
    .slice(0, name.length - tail.length)
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^A-Za-z0-9_.-]+/g, '_')
    .replace(/\.{2,}/g, '.')
    .slice(0, SLUG_LENGTH)
    .replace(/^[._]+|[._]+$/g, '');
  return `${stem || 'file'}${tail}`;
}

/** The ending of a name in lower case without its dot, where it is a plain one; else empty. */
export function fileExtension(name: string): string {
  return /\.([A-Za-z0-9]{1,10})$/.exec(name)?.[1]?.toLowerCase() ?? '';
}
