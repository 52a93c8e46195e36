import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Upload } from '../../../../src/base/upload-records.ts';
import type { FileHeaders } from '../../../../src/http/files/file-headers.ts';
import { cacheControl } from '../../../../src/http/files/file-headers.ts';
import { createPresignedLinks } from '../../../../src/http/files/presigned-links.ts';
import type { PresignOptions } from '../../../../src/uploads/downloads.ts';

const MINUTE = 60_000;
const NOW = Date.UTC(2026, 0, 1);
const upload = { blob: 'ab/file.jpg' } as Upload;

const headersUntil = (expiresAt: number | null, downloadHeaders: Record<string, string> = {}) =>
  ({
    type: 'image/jpeg',
    disposition: 'inline',
    expiresAt,
    settings: { downloadHeaders },
    setsCacheControl: downloadHeaders['Cache-Control'] === undefined,
  }) as unknown as FileHeaders;

/** Signs links at `now()`, and records how. */
function createSigner(now = () => NOW) {
  const signed: PresignOptions[] = [];
  const links = createPresignedLinks({
    clock: now,
    link: async (_key, options) => {
      signed.push(options);
      return `https://bucket/${signed.length}`;
    },
  });
  return { signed, links };
}

const maxAge = (text: string | undefined) => Number(/max-age=(\d+)/.exec(text ?? '')?.[1]);

describe('A link to the object store', () => {
  test('is valid for ten minutes, but not longer than the file', async () => {
    for (const [expiresAt, lifetimeSeconds] of [
      [null, 600],
      [NOW + 60 * MINUTE, 600],
      [NOW + 2 * MINUTE, 120],
      [NOW + 1, 1],
    ] as const) {
      const { signed, links } = createSigner();
      await links(upload, headersUntil(expiresAt));
      assert.equal(signed[0]?.lifetimeSeconds, lifetimeSeconds, String(expiresAt));
    }
  });

  test('lets no cache keep the file beyond its end, whenever in its five minutes it is fetched', async () => {
    for (let minute = 0; minute <= 10; minute += 1) {
      const now = NOW + minute * MINUTE;
      const expiresAt = NOW + 20 * MINUTE;
      const { signed, links } = createSigner(() => now);
      await links(upload, headersUntil(expiresAt));
      const { signedAt = 0, cacheControl } = signed[0] as PresignOptions;
      const handedOutUntil = signedAt + 5 * MINUTE;
      assert.ok(now < handedOutUntil);
      assert.ok(handedOutUntil + maxAge(cacheControl) * 1000 <= expiresAt, `minute ${minute}`);
    }
  });

  test('is the same for five minutes, and is signed again after them', async () => {
    let now = NOW;
    const { links } = createSigner(() => now);
    const headers = headersUntil(null);
    const first = await links(upload, headers);
    now += 5 * MINUTE - 1;
    assert.equal(await links(upload, headers), first);
    now += 1;
    assert.notEqual(await links(upload, headers), first);
  });

  test('has the Cache-Control of the config, if there is one', async () => {
    const { signed, links } = createSigner();
    await links(upload, headersUntil(null, { 'Cache-Control': 'private' }));
    assert.equal(signed[0]?.cacheControl, 'private');
  });
});

test('Cache-Control ends with the file, and after a year at the latest', () => {
  assert.equal(cacheControl(NOW + 90_999, NOW), 'public, immutable, max-age=90');
  assert.equal(cacheControl(NOW - 1, NOW), 'public, immutable, max-age=0');
  assert.equal(maxAge(cacheControl(null, NOW)), 365 * 86_400);
  assert.equal(maxAge(cacheControl(NOW + 400 * 86_400_000, NOW)), 365 * 86_400);
});
