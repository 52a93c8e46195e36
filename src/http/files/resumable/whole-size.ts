import type { IncomingMessage } from 'node:http';

/** Sizes in bytes of files whose first part is the body. Null if the request does not name the size. */
const wholeSizes = new WeakMap<IncomingMessage, number | null>();

/** Records the size of the whole file for a request whose body is only its first part. */
export function declareWholeSize(request: IncomingMessage, size: number | null): void {
  wholeSizes.set(request, size);
}

/** Returns the size of the whole file, or undefined if the body is the whole file. */
export const wholeSize = (request: IncomingMessage): number | null | undefined => wholeSizes.get(request);
