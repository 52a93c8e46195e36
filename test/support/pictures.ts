import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The part of `sharp` that the tests use. It is an optional package. */
type Sharp = (input: unknown, options?: Readonly<Record<string, unknown>>) => Picture;

export interface Picture {
  jpeg(options?: Readonly<Record<string, unknown>>): Picture;
  png(options?: Readonly<Record<string, unknown>>): Picture;
  gif(options?: Readonly<Record<string, unknown>>): Picture;
  webp(options?: Readonly<Record<string, unknown>>): Picture;
  avif(options?: Readonly<Record<string, unknown>>): Picture;
  raw(): Picture;
  withExif(exif: Readonly<Record<string, Readonly<Record<string, string>>>>): Picture;
  withMetadata(metadata: Readonly<Record<string, unknown>>): Picture;
  toBuffer(): Promise<Buffer>;
  metadata(): Promise<Readonly<Record<string, unknown>>>;
}

/** The reason to skip a test that needs `sharp`, or false. `PORTER_REQUIRE_PEERS=1`, as in CI, makes a skip a failure. */
export function needsSharp(): string | false {
  if (existsSync(join(import.meta.dirname, '../../node_modules/sharp'))) return false;
  const reason = 'needs the optional package sharp: npm ci';
  if (process.env.PORTER_REQUIRE_PEERS === '1') throw new Error(reason);
  return reason;
}

export async function loadSharp(): Promise<Sharp> {
  const name = 'sharp';
  const { default: sharp } = (await import(name)) as { readonly default: Sharp };
  return sharp;
}

/** Creates a picture whose left half is red and whose right half is blue. */
export async function twoColours(width: number, height: number): Promise<Picture> {
  const bytes = Buffer.alloc(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel += 1)
    bytes[pixel * 3 + (pixel % width < width / 2 ? 0 : 2)] = 255;
  return (await loadSharp())(bytes, { raw: { width, height, channels: 3 } });
}

/** Decodes a thumbnail, and returns the colour of the pixel at this place. */
export async function colourAt(picture: Buffer, x: number, y: number): Promise<'red' | 'blue' | 'other'> {
  const sharp = await loadSharp();
  const { width = 0, channels } = await sharp(picture).metadata();
  const raw = await sharp(picture).raw().toBuffer();
  const at = (y * Number(width) + x) * Number(channels ?? 3);
  const [red = 0, , blue = 0] = raw.subarray(at, at + 3);
  if (red > 200 && blue < 50) return 'red';
  return blue > 200 && red < 50 ? 'blue' : 'other';
}

/** Returns a complete but short WebP file, which viewers cannot show. */
export function tinyWebp(content = 'thumbnail'): Buffer {
  const body = Buffer.from(`WEBP${content}`);
  const head = Buffer.from('RIFF\0\0\0\0', 'latin1');
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body]);
}
