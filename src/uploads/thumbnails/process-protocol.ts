/*
 * The messages between a server and its picture process, over pipes. The process handles one picture at a time.
 *
 *   server  ── width (uint32 BE), size (uint32 BE), the bytes of the picture ──> process
 *   server  <── status (uint8), size (uint32 BE), payload ──                     process
 *
 * The first answer tells whether the decoder could be loaded.
 */

/** Statuses of answers, with their payloads. */
export const STATUS = {
  /** The decoder is loaded. */
  ready: 0,
  /** Text: why the decoder cannot be loaded. */
  unusable: 1,
  /** The thumbnail, WebP. */
  made: 2,
  /** Text: why this picture cannot be decoded. */
  damaged: 3,
} as const;

export type Status = (typeof STATUS)[keyof typeof STATUS];

export const REQUEST_HEADER_BYTES = 8;
export const ANSWER_HEADER_BYTES = 5;

export function requestHeader(width: number, size: number): Buffer {
  const header = Buffer.alloc(REQUEST_HEADER_BYTES);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(size, 4);
  return header;
}

export function answerHeader(status: Status, size: number): Buffer {
  const header = Buffer.alloc(ANSWER_HEADER_BYTES);
  header.writeUInt8(status, 0);
  header.writeUInt32BE(size, 1);
  return header;
}
