import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { readStored, writeStored } from '../../../src/web/page/lib/storage.ts';

function replaceStorage(t: TestContext, get: () => unknown): void {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'localStorage');
  Object.defineProperty(globalThis, 'localStorage', { configurable: true, get });
  t.after(() => {
    if (before) Object.defineProperty(globalThis, 'localStorage', before);
  });
}

describe('what the page stores in the browser', () => {
  test('is read again, and removed by null', (t) => {
    const texts = new Map<string, string>();
    replaceStorage(t, () => ({
      getItem: (key: string) => texts.get(key) ?? null,
      setItem: (key: string, text: string) => texts.set(key, text),
      removeItem: (key: string) => texts.delete(key),
    }));
    writeStored('theme', 'dark');
    assert.equal(readStored('theme'), 'dark');
    writeStored('theme', null);
    assert.equal(readStored('theme'), null);
  });

  test('is missing in a browser that blocks the storage, without an error', (t) => {
    replaceStorage(t, () => {
      throw new DOMException('The operation is insecure.', 'SecurityError');
    });
    writeStored('theme', 'dark');
    assert.equal(readStored('theme'), null);
  });
});
