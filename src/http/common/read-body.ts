import type { Readable } from 'node:stream';
import { Refusal } from '../../base/errors.ts';

/** Milliseconds for a stanza to arrive whole. */
const TIME = 60_000;

/** A whole body of at most `limit` bytes. Refusals: `message_too_large`, `body_idle`. */
export async function readBody(stream: Readable, length: number | undefined, limit: number): Promise<Buffer> {
  if (length !== undefined && length > limit) throw tooLarge(limit);
  const late = setTimeout(() => stream.destroy(new Refusal('body_idle')), TIME);
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    // Left early, the stream stays whole: the answer goes out on the same connection.
    for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > limit) throw tooLarge(limit);
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(late);
  }
  return Buffer.concat(chunks);
}

function tooLarge(limit: number): Refusal {
  return new Refusal('message_too_large', { text: `The stanza is too long: at most ${limit} bytes.` });
}
