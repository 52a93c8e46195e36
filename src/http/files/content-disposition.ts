/**
 * `Content-Disposition` with the file's real name (RFC 6266, RFC 8187): an ASCII form for old clients and the
 * exact one. Nothing in the name can end the value or the header.
 */
export function contentDisposition(kind: 'inline' | 'attachment', name: string): string {
  return `${kind}; filename="${asciiForm(name)}"; filename*=UTF-8''${extValue(name)}`;
}

/** Quotes and backslashes are read differently by different clients, and `%` is decoded by some: none goes in. */
function asciiForm(name: string): string {
  const plain = name.normalize('NFKD').replace(/\p{M}/gu, '');
  return plain.replace(/[^ -~]|["%\\]/gu, '_');
}

/** RFC 8187 `ext-value`: `encodeURIComponent` leaves four characters that are not `attr-char`. */
function extValue(name: string): string {
  const encoded = encodeURIComponent(name.toWellFormed());
  return encoded.replace(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
