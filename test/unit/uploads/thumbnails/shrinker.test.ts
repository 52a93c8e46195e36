import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { createShrinker, type ShrinkerOptions } from '../../../../src/uploads/thumbnails/shrinker.ts';
import { colourAt, loadSharp, needsSharp, type Picture, twoColours } from '../../../support/pictures.ts';

const FAKE = join(import.meta.dirname, '../../../support/fake-picture-process.ts');

async function* chunks(bytes: Buffer, length = 100_000): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

function openShrinker(t: TestContext, options: ShrinkerOptions = {}) {
  const shrinker = createShrinker({ decodeTimeoutMs: 300_000, ...options });
  t.after(() => shrinker.close());
  return {
    ...shrinker,
    shrinkBytes: (picture: Buffer, width = 320) => shrinker.shrink(chunks(picture), picture.length, width),
  };
}

describe('the process that decodes pictures', { skip: needsSharp() }, () => {
  test('makes a WebP that fits into a square, of every format, and never a larger picture', async (t) => {
    const { shrinkBytes } = openShrinker(t);
    const sharp = await loadSharp();
    const formats: readonly ((picture: Picture) => Picture)[] = [
      (picture) => picture.jpeg(),
      (picture) => picture.jpeg({ progressive: true }),
      (picture) => picture.png(),
      (picture) => picture.gif(),
      (picture) => picture.webp(),
      (picture) => picture.avif({ effort: 0, lossless: true }),
    ];
    for (const format of formats) {
      const result = await shrinkBytes(await format(await twoColours(800, 400)).toBuffer());
      assert.equal(result.kind, 'made');
      const { width, height, format: made } = await sharp(result.thumbnail).metadata();
      assert.deepEqual({ width, height, made }, { width: 320, height: 160, made: 'webp' });
      assert.equal(await colourAt(result.thumbnail, 20, 80), 'red');
    }
    const small = await shrinkBytes(await (await twoColours(100, 50)).png().toBuffer());
    assert.equal(small.kind, 'made');
    assert.equal((await sharp(small.thumbnail).metadata()).width, 100);
  });

  test('turns a photo upright and removes where it was taken', async (t) => {
    const { shrinkBytes } = openShrinker(t);
    const sharp = await loadSharp();
    const photo = await (await twoColours(400, 200))
      .jpeg()
      .withExif({ IFD0: { Copyright: 'somebody' }, IFD3: { GPSLatitude: '52/1 30/1 0/1' } })
      .withMetadata({ orientation: 6 })
      .toBuffer();
    assert.notEqual((await sharp(photo).metadata()).exif, undefined);
    const result = await shrinkBytes(photo);
    assert.equal(result.kind, 'made');
    const { width, height, exif, xmp, icc, orientation } = await sharp(result.thumbnail).metadata();
    assert.deepEqual(
      { width, height, exif, xmp, icc },
      { width: 160, height: 320, exif: undefined, xmp: undefined, icc: undefined },
    );
    assert.ok(orientation === undefined || orientation === 1);
    // A quarter turn to the right: what was left is above.
    assert.equal(await colourAt(result.thumbnail, 80, 40), 'red');
    assert.equal(await colourAt(result.thumbnail, 80, 280), 'blue');
  });

  test('refuses a picture with too many pixels before it decodes it', async (t) => {
    const { shrinkBytes } = openShrinker(t);
    const sharp = await loadSharp();
    const bomb = await sharp({
      create: { width: 7200, height: 7200, channels: 3, background: '#00f' },
    })
      .png()
      .toBuffer();
    assert.ok(bomb.length < 1_000_000);
    const result = await shrinkBytes(bomb);
    assert.equal(result.kind, 'damaged');
    assert.match(result.reason, /pixel limit/);
  });

  test('makes nothing of a picture that is cut off, and goes on with the next one', async (t) => {
    const { shrinkBytes } = openShrinker(t);
    const whole = await (await twoColours(800, 400)).jpeg().toBuffer();
    const png = await (await twoColours(800, 400)).png().toBuffer();
    for (const part of [
      whole.subarray(0, whole.length / 2),
      png.subarray(0, png.length - 200),
      whole.subarray(0, 20),
    ])
      assert.equal((await shrinkBytes(part)).kind, 'damaged');
    assert.equal((await shrinkBytes(whole)).kind, 'made');
  });

  test('decodes nothing but photos and drawings of pixels', async (t) => {
    const { shrinkBytes } = openShrinker(t);
    const svg =
      '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>';
    for (const text of [svg, '%PDF-1.4\n1 0 obj', '<!doctype html><p>Hello']) {
      const result = await shrinkBytes(Buffer.from(text));
      assert.equal(result.kind, 'damaged');
    }
  });
});

describe('a picture process', () => {
  test('that crashes or runs out of memory is replaced for the next picture', async (t) => {
    const { shrinkBytes } = openShrinker(t, { program: FAKE });
    for (const fault of ['crash', 'memory']) {
      assert.equal((await shrinkBytes(Buffer.from(fault))).kind, 'gave_up');
      assert.deepEqual(await shrinkBytes(Buffer.from('next')), {
        kind: 'made',
        thumbnail: Buffer.from('next'),
      });
    }
  });

  test('that does not finish a picture is ended', async (t) => {
    const { shrinkBytes } = openShrinker(t, { program: FAKE, decodeTimeoutMs: 50 });
    const result = await shrinkBytes(Buffer.from('hang'));
    assert.equal(result.kind, 'gave_up');
    assert.match(result.reason, /longer than 50 ms/);
  });

  test('gets no environment of the server, which may contain secrets', async (t) => {
    process.env.PORTER_SECRET_OF_A_TEST = 'secret';
    t.after(() => delete process.env.PORTER_SECRET_OF_A_TEST);
    const { shrinkBytes } = openShrinker(t, { program: FAKE });
    const result = await shrinkBytes(Buffer.from('environment'));
    assert.equal(result.kind, 'made');
    assert.doesNotMatch(result.thumbnail.toString(), /SECRET|PATH\b(?<!LD_LIBRARY_PATH)|HOME/);
  });

  test('ends when there has been no picture for a while', async (t) => {
    const { shrinkBytes } = openShrinker(t, { program: FAKE, idleMs: 0 });
    const pids = new Set<string>();
    while (pids.size < 2) {
      const result = await shrinkBytes(Buffer.from('process'));
      assert.equal(result.kind, 'made');
      pids.add(result.thumbnail.toString());
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  });

  test('gets nothing of a picture whose file is shorter than stored, and is ready for the next', async (t) => {
    const shrinker = openShrinker(t, { program: FAKE });
    assert.equal((await shrinker.shrink(chunks(Buffer.from('short')), 100, 320)).kind, 'unread');
    async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.from('a');
      throw new Error('the store is away');
    }
    assert.deepEqual(await shrinker.shrink(broken(), 100, 320), {
      kind: 'unread',
      reason: 'the store is away',
    });
    assert.equal((await shrinker.shrinkBytes(Buffer.from('next'))).kind, 'made');
  });

  test('that cannot load its decoder is a problem with words', async (t) => {
    const { findProblem, shrinkBytes } = openShrinker(t, { program: '/nonexistent/picture-process.ts' });
    assert.match((await findProblem()) ?? '', /it ended \(exit code 1\).*Cannot find module/s);
    assert.equal((await shrinkBytes(Buffer.from('a'))).kind, 'unusable');
  });
});
