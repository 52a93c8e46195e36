import { BlobError } from './contract.ts';

const KEY = /^[0-9a-z]{2}\/[0-9a-z]{1,64}(?:\.[0-9a-z]{1,10}){1,2}$/;

/** Everything else that lies in a store is not ours, and is left alone. */
export const isBlobKey = (text: string): boolean => KEY.test(text);

/** The key itself. No key leads out of the store. @throws BlobError */
export function checkedBlobKey(key: string): string {
  if (!isBlobKey(key)) throw new BlobError('failed', 'That is not the key of a blob.');
  return key;
}

/** Where a blob lies, or is listed, while it is not whole; the key of none can be the same. */
export const partKey = (key: string): string => `${key}.part`;

/** The key whose write has left this, or undefined where it is none. */
export function parsePartKey(name: string): string | undefined {
  return /^[^.]+\.[^.]+\.part$/.test(name) ? name.slice(0, -'.part'.length) : undefined;
}
