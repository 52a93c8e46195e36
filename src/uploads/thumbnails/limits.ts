/** Limits of thumbnails (docs/thumbnails.md; the reasons are in docs/decisions). */

const MIB = 1024 * 1024;

/** Bytes of a picture. */
export const MAX_PICTURE_BYTES = 32 * MIB;
/** Pixels of a picture. Photos of phones have fewer. A file of a few kilobytes can announce far more. */
export const MAX_PIXELS = 50_000_000;
/** Bytes of one thumbnail. */
export const MAX_THUMBNAIL_BYTES = 96 * 1024;
/** Bytes of memory that the decoding process may allocate. Node.js itself reserves about 620 MiB of address space, and uses 90 MiB. */
export const PROCESS_MEMORY_BYTES = 1024 * MIB;
/** Milliseconds to decode a picture that has arrived whole. */
export const DECODE_TIMEOUT_MS = 20_000;
/** Milliseconds to read a picture from the store. */
export const READ_TIMEOUT_MS = 30_000;
/** Milliseconds to start the process and load the decoder. */
export const START_TIMEOUT_MS = 20_000;
/** Milliseconds without work after which the process ends. */
export const IDLE_MS = 30_000;
/** Pictures after which the process is replaced, so that memory it has lost returns. */
export const PICTURES_PER_PROCESS = 500;
/** Maximum number of thumbnails that one process of Porter makes at a time, and of requests that wait for one. */
export const PLACES = { places: () => 1, waiting: 1000, waitingPerSender: 200 };
/** A picture at which the process ended or took too long is tried again after this time, in milliseconds. */
export const RETRY_AFTER_MS = 86_400_000;
/** Bytes of thumbnails in memory. */
export const MEMORY_BYTES = 8 * MIB;
