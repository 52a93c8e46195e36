import { crc32, deflateSync } from 'node:zlib';

/** The first bytes of pictures, as the formats define them. They are enough to read the size, but viewers cannot show them. */

const u8 = (...bytes: number[]) => Buffer.from(bytes);
const u16 = (value: number) => u8(value >> 8, value & 255);
const u32 = (value: number) => Buffer.concat([u16(value >>> 16), u16(value & 0xffff)]);
const le16 = (value: number) => u8(value & 255, value >> 8);
const le24 = (value: number) => u8(value & 255, (value >> 8) & 255, value >> 16);
const ascii = (text: string) => Buffer.from(text, 'latin1');

export function pngSample(width: number, height: number): Buffer {
  return Buffer.concat([
    u8(0x89),
    ascii('PNG\r\n\x1a\n'),
    u32(13),
    ascii('IHDR'),
    u32(width),
    u32(height),
    u8(8, 2, 0, 0, 0),
    u32(0),
  ]);
}

export function gifSample(width: number, height: number): Buffer {
  return Buffer.concat([ascii('GIF89a'), le16(width), le16(height), u8(0, 0, 0)]);
}

/** Returns a JPEG with `exifBytes` bytes of Exif metadata, which set `orientation`. */
export function jpegSample(width: number, height: number, orientation = 1, exifBytes = 200): Buffer {
  const tag = Buffer.concat([u16(0x0112), u16(3), u32(1), u16(orientation), u16(0)]);
  const exif = Buffer.concat([ascii('Exif\0\0MM'), u16(42), u32(8), u16(1), tag, Buffer.alloc(exifBytes)]);
  return Buffer.concat([
    u8(0xff, 0xd8, 0xff, 0xe1),
    u16(exif.length + 2),
    exif,
    u8(0xff, 0xc0),
    u16(17),
    u8(8),
    u16(height),
    u16(width),
    u8(3),
    Buffer.alloc(9),
  ]);
}

export function webpSample(width: number, height: number): Buffer {
  const header = Buffer.concat([u8(0, 0, 0, 0), le24(width - 1), le24(height - 1)]);
  return Buffer.concat([ascii('RIFF'), u32(0), ascii('WEBPVP8X'), u8(10, 0, 0, 0), header]);
}

function box(name: string, ...content: readonly Buffer[]): Buffer {
  const inside = Buffer.concat(content);
  return Buffer.concat([u32(inside.length + 8), ascii(name), inside]);
}

/** `sizes`: of the tiles and of the whole picture. `turns`: quarter turns. */
export function heifSample(brand: 'avif' | 'heic', sizes: readonly [number, number][], turns = 0): Buffer {
  const properties = sizes.map(([width, height]) => box('ispe', u32(0), u32(width), u32(height)));
  const rotation = turns === 0 ? [] : [box('irot', u8(turns))];
  const meta = box('meta', u32(0), box('iprp', box('ipco', ...properties, ...rotation)));
  return Buffer.concat([box('ftyp', ascii(brand), u32(0), ascii('mif1')), meta]);
}

/** Returns a WebP whose length is right, so that it counts as a complete file. */
export function wholeWebp(width: number, height: number): Buffer {
  const sample = Buffer.from(webpSample(width, height));
  sample.writeUInt32LE(sample.length - 8, 4);
  return sample;
}

/** Returns a PNG that viewers can show: blue above, green below. */
export function wholePng(width: number, height: number): Buffer {
  const chunk = (name: string, data: Buffer) => {
    const body = Buffer.concat([ascii(name), data]);
    return Buffer.concat([u32(data.length), body, u32(crc32(body))]);
  };
  const row = (y: number) => {
    const part = y / height;
    const pixel = u8(110 - 40 * part, 150 + 20 * part, 210 - 130 * part);
    return Buffer.concat([u8(0), Buffer.alloc(width * 3, pixel)]);
  };
  const rows = deflateSync(Buffer.concat(Array.from({ length: height }, (_, y) => row(y))));
  return Buffer.concat([
    u8(0x89),
    ascii('PNG\r\n\x1a\n'),
    chunk('IHDR', Buffer.concat([u32(width), u32(height), u8(8, 2, 0, 0, 0)])),
    chunk('IDAT', rows),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
