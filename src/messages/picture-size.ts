import { GIF } from 'image-size/types/gif';
import { HEIF } from 'image-size/types/heif';
import { JPG } from 'image-size/types/jpg';
import { PNG } from 'image-size/types/png';
import { WEBP } from 'image-size/types/webp';

/** Pixels, after the rotation that the metadata of the picture requests. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** Bytes. The size follows the metadata: up to 64 KiB of Exif, then often a colour profile. */
export const PICTURE_HEAD_BYTES = 128 * 1024;

/** XEP-0264 §2.2 limits the size of pictures to 16 bits. */
const MAX_SIDE = 65_535;

/** Chosen one by one: the look-up of the library would try regular expressions for SVG on any file. */
const FORMATS = [PNG, JPG, GIF, WEBP, HEIF];

/** Reads the size from the first `PICTURE_HEAD_BYTES` of a PNG, JPEG, GIF, WebP, AVIF or HEIC. Returns undefined if it is unknown. */
export function readPictureSize(head: Uint8Array): PictureSize | undefined {
  // Copied: the library reads beyond the end of a view into the memory behind it.
  const bytes = new Uint8Array(head.subarray(0, PICTURE_HEAD_BYTES));
  try {
    const format = FORMATS.find(({ validate }) => validate(bytes));
    if (format === undefined) return undefined;
    const { width, height, images = [], orientation = 1 } = format.calculate(bytes);
    const sides = [{ width, height }, ...images].reduce((a, b) => (areaOf(b) > areaOf(a) ? b : a));
    const isTurned = orientation >= 5 || (format === HEIF && isTurnedHeif(bytes));
    const size = isTurned ? { width: sides.height, height: sides.width } : sides;
    return isSide(size.width) && isSide(size.height) ? { width: size.width, height: size.height } : undefined;
  } catch {
    // The bytes end too early, or are not a picture.
    return undefined;
  }
}

/** A picture in tiles also lists the sizes of its tiles. The largest size is that of the whole picture. */
function areaOf({ width, height }: PictureSize): number {
  return width * height;
}

function isSide(pixels: number): boolean {
  return Number.isInteger(pixels) && pixels > 0 && pixels <= MAX_SIDE;
}

/** The box `irot` (ISO/IEC 23008-12, 6.5.10): 9 bytes, the last one a number of quarter turns. */
const ROTATION = Buffer.from('\0\0\0\x09irot', 'latin1');

function isTurnedHeif(bytes: Uint8Array): boolean {
  const at = Buffer.from(bytes.buffer).indexOf(ROTATION);
  return at >= 0 && ((bytes[at + ROTATION.length] ?? 0) & 1) === 1;
}

/** Passes chunks on, and calls `onHead` once with the first bytes: when there are enough, or at the end. */
export async function* tapPictureHead(
  chunks: AsyncIterable<Uint8Array>,
  onHead: (head: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  let head: Uint8Array[] | undefined = [];
  let length = 0;
  const finish = () => {
    if (head !== undefined) onHead(Buffer.concat(head));
    head = undefined;
  };
  for await (const chunk of chunks) {
    // A consumer may reuse the memory of a chunk.
    head?.push(Uint8Array.from(chunk.subarray(0, PICTURE_HEAD_BYTES - length)));
    length += chunk.length;
    if (length >= PICTURE_HEAD_BYTES) finish();
    yield chunk;
  }
  finish();
}
