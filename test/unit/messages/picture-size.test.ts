import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  PICTURE_HEAD_BYTES,
  type PictureSize,
  readPictureSize,
  tapPictureHead,
} from '../../../src/messages/picture-size.ts';
import { gifSample, heifSample, jpegSample, pngSample, webpSample } from '../../support/picture-samples.ts';

const SIZE = { width: 320, height: 200 };
const TURNED = { width: 200, height: 320 };
const SAMPLES: Record<string, [Buffer, PictureSize]> = {
  PNG: [pngSample(320, 200), SIZE],
  GIF: [gifSample(320, 200), SIZE],
  JPEG: [jpegSample(320, 200), SIZE],
  'JPEG of a phone held upright': [jpegSample(320, 200, 6), TURNED],
  'JPEG with large metadata': [jpegSample(320, 200, 3, 65_000), SIZE],
  WebP: [webpSample(320, 200), SIZE],
  AVIF: [heifSample('avif', [[320, 200]]), SIZE],
  'HEIC in tiles': [
    heifSample('heic', [
      [64, 64],
      [320, 200],
      [40, 25],
    ]),
    SIZE,
  ],
  'HEIC of a phone held upright': [heifSample('heic', [[320, 200]], 3), TURNED],
};

describe('The size of a picture', () => {
  for (const [name, [bytes, size]] of Object.entries(SAMPLES)) {
    test(`is read from the first bytes: ${name}`, () => {
      assert.deepEqual(readPictureSize(Buffer.concat([bytes, Buffer.alloc(1000)])), size);
    });
  }

  test('is unknown for other files, and for a picture that is too short or too large', () => {
    const others = ['', 'text', '<svg width="3" height="4"></svg>', '%PDF-1.7', '\x89PNG'];
    for (const text of others) assert.equal(readPictureSize(Buffer.from(text, 'latin1')), undefined, text);
    assert.equal(readPictureSize(pngSample(0, 200)), undefined);
    assert.equal(readPictureSize(pngSample(70_000, 200)), undefined);
    const late = Buffer.concat([Buffer.alloc(PICTURE_HEAD_BYTES), pngSample(320, 200)]);
    assert.equal(readPictureSize(late), undefined);
  });

  test('is never read from the memory behind the bytes', () => {
    for (const [name, [bytes]] of Object.entries(SAMPLES)) {
      const memory = Buffer.concat([bytes, Buffer.alloc(100, 7)]);
      for (let length = 0; length < bytes.length; length += 1) {
        const known = readPictureSize(memory.subarray(0, length));
        const alone = readPictureSize(Uint8Array.from(bytes.subarray(0, length)));
        assert.deepEqual(known, alone, `${name} of ${length} bytes`);
      }
      assert.equal(readPictureSize(memory.subarray(0, 9)), undefined, name);
    }
  });

  test('is read or left out for any bytes, in bounded time', () => {
    const samples = fc.constantFrom(...Object.values(SAMPLES).map(([bytes]) => bytes));
    const change = fc.tuple(fc.nat({ max: 300 }), fc.uint8Array({ minLength: 1, maxLength: 8 }));
    fc.assert(
      fc.property(samples, fc.array(change, { maxLength: 6 }), (sample, changes) => {
        const bytes = Buffer.concat([sample, Buffer.alloc(2000)]);
        for (const [at, value] of changes) bytes.set(value, at);
        const size = readPictureSize(bytes);
        for (const side of [size?.width ?? 1, size?.height ?? 1]) assert.ok(side > 0 && side <= 65_535);
      }),
      { numRuns: 2000 },
    );
    const heads = ['\xff\xd8\xff\xe1', '\0\0\0\x18ftypheic', 'RIFF....WEBPVP8X', '\xff\xd8\xff\xe1\0\x02'];
    for (const head of heads) {
      for (const fill of ['\0', '\xff', '\0\0\0\x08ispe', '\xff\xe1\0\x08Exif']) {
        readPictureSize(Buffer.from(head + fill.repeat(PICTURE_HEAD_BYTES / fill.length), 'latin1'));
      }
    }
  });
});

describe('The head of a file', () => {
  test('is taken once, while all chunks pass', async () => {
    for (const [count, length] of [
      [0, 0],
      [3, 100],
      [10, 50_000],
    ] as const) {
      const heads: Uint8Array[] = [];
      const chunks = Array.from({ length: count }, (_, at) => Buffer.alloc(length, at));
      const passed = await Array.fromAsync(
        tapPictureHead(
          (async function* () {
            yield* chunks;
          })(),
          (head) => heads.push(head),
        ),
      );
      assert.deepEqual(passed, chunks);
      assert.equal(heads.length, 1);
      assert.deepEqual(heads[0], Buffer.concat(chunks).subarray(0, PICTURE_HEAD_BYTES));
    }
  });
});
