import { writeFileSync } from 'node:fs';
import { MAX_PIXELS, MAX_THUMBNAIL_BYTES } from './limits.ts';
import { answerHeader, REQUEST_HEADER_BYTES, STATUS, type Status } from './process-protocol.ts';

/*
 * The main file of the picture process. Only this process loads `sharp` and decodes uploaded pictures (shrinker.ts starts it). It has
 * no environment, no secrets and no open files. It ends when its server ends, because then its input ends.
 */

/** The part of `sharp` that is used. It is an optional package, so its own types may be absent. */
interface Sharp {
  (input: Uint8Array, options: Readonly<Record<string, unknown>>): Pipeline;
  block(operations: { readonly operation: readonly string[] }): void;
  unblock(operations: { readonly operation: readonly string[] }): void;
  cache(isOn: boolean): void;
  concurrency(threads: number): void;
}

interface Pipeline {
  autoOrient(): Pipeline;
  resize(options: Readonly<Record<string, unknown>>): Pipeline;
  timeout(options: { readonly seconds: number }): Pipeline;
  webp(options: Readonly<Record<string, unknown>>): Pipeline;
  toBuffer(): Promise<Buffer>;
}

/** The decoders of `policy/media-type.ts`. All others are blocked, whatever a file pretends to be. */
const DECODERS = [
  'VipsForeignLoadJpegBuffer',
  'VipsForeignLoadPngBuffer',
  'VipsForeignLoadWebpBuffer',
  'VipsForeignLoadNsgifBuffer',
  'VipsForeignLoadHeifBuffer',
];

/** Tried one after the other until the thumbnail is small enough. */
const QUALITIES = [75, 50, 25];

async function loadSharp(): Promise<Sharp> {
  // Not a literal, so that the type check does not need the package.
  const name = 'sharp';
  const { default: sharp } = (await import(name)) as { readonly default: Sharp };
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: DECODERS });
  sharp.cache(false);
  sharp.concurrency(1);
  return sharp;
}

/**
 * Shrinks a picture so that its longest side has at most `width` pixels. The thumbnail is upright, in sRGB, and has no metadata. Of
 * an animation it shows the first frame.
 */
async function shrink(sharp: Sharp, picture: Uint8Array, width: number): Promise<Buffer> {
  for (const quality of QUALITIES) {
    const thumbnail = await sharp(picture, {
      failOn: 'error',
      limitInputPixels: MAX_PIXELS,
      sequentialRead: true,
      autoOrient: true,
      pages: 1,
    })
      .resize({ width, height: width, fit: 'inside', withoutEnlargement: true })
      .webp({ quality, effort: 3 })
      .toBuffer();
    if (thumbnail.length <= MAX_THUMBNAIL_BYTES) return thumbnail;
  }
  throw new Error('The thumbnail would be too large.');
}

function answer(status: Status, payload: Uint8Array): void {
  process.stdout.write(answerHeader(status, payload.length));
  process.stdout.write(payload);
}

const errorText = (error: unknown) => Buffer.from(error instanceof Error ? error.message : String(error));

/** Yields the requests as they arrive. */
async function* readRequests(): AsyncGenerator<{ readonly width: number; readonly picture: Buffer }> {
  let received: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    received.push(chunk);
    length += chunk.length;
    while (length >= REQUEST_HEADER_BYTES) {
      if ((received[0]?.length ?? 0) < REQUEST_HEADER_BYTES) received = [Buffer.concat(received)];
      const size = received[0]?.readUInt32BE(4) ?? 0;
      if (length < REQUEST_HEADER_BYTES + size) break;
      const whole = Buffer.concat(received);
      received = [whole.subarray(REQUEST_HEADER_BYTES + size)];
      length = whole.length - REQUEST_HEADER_BYTES - size;
      yield {
        width: whole.readUInt32BE(0),
        picture: whole.subarray(REQUEST_HEADER_BYTES, REQUEST_HEADER_BYTES + size),
      };
    }
  }
}

/** Makes the kernel end this process first if memory runs out. */
function raiseOomScore(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // Not Linux, or not permitted.
  }
}

async function main(): Promise<void> {
  // Ctrl+C reaches every process of a terminal. The server ends this one when its own work is done.
  process.on('SIGINT', () => {});
  raiseOomScore();
  let sharp: Sharp;
  try {
    sharp = await loadSharp();
  } catch (error) {
    answer(STATUS.unusable, errorText(error));
    return;
  }
  answer(STATUS.ready, Buffer.alloc(0));
  for await (const { width, picture } of readRequests()) {
    try {
      answer(STATUS.made, await shrink(sharp, picture, width));
    } catch (error) {
      answer(STATUS.damaged, errorText(error));
    }
  }
}

await main();
