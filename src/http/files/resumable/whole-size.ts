import type { IncomingMessage } from 'node:http';

/** Sizes of files whose first part is in the body: null if the request does not name it. */
const wholeSizes = new WeakMap<IncomingMessage, number | null>();

/** Lets the endpoint read the size of the whole file instead of that of the body. */
export function declareWholeSize(request: IncomingMessage, size: number | null): void {
  wholeSizes.set(request, size);
}

/** Returns the size of the whole file, or undefined if the body is the whole file. */
export const wholeSize = (request: IncomingMessage): number | null | undefined => wholeSizes.get(request);
