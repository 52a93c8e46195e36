import { BlobError } from './contract.ts';

const KEY = /^[0-9a-z]{2}\/[0-9a-z]{1,64}(?:\.[0-9a-z]{1,10}){1,2}$/;

/** Porter ignores all files and objects whose names are not blob keys. */
export const isBlobKey = (text: string): boolean => KEY.test(text);

/** Returns the key. Throws `BlobError` if it is not a blob key and could lead out of the store. */
export function checkedBlobKey(key: string): string {
  if (!isBlobKey(key)) throw new BlobError('failed', 'Invalid blob key.');
  return key;
}
