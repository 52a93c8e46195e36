import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { addressFields, commonFields } from '../../../src/stanza/json/common-fields.ts';
import { iqFields } from '../../../src/stanza/json/iq-fields.ts';
import { messageFields } from '../../../src/stanza/json/message-fields.ts';
import { presenceFields } from '../../../src/stanza/json/presence-fields.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/rest.md'), 'utf8');
const codes = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
const ofAll = codes(/All kinds: .*?(?=\n\n)/s.exec(page)?.[0] ?? '');

/** Returns the first cells of the table of this kind. */
function keysOf(kind: string): string[] {
  const table = page.split(`| ${kind} | |\n`)[1]?.split('\n\n')[0] ?? '';
  return codes(
    table
      .split('\n')
      .map((line) => line.split('|')[1] ?? '')
      .join(),
  );
}

describe('docs/rest.md', () => {
  for (const key of ['kind', 'type', 'error', ...Object.keys({ ...addressFields, ...commonFields })]) {
    test(`documents the key ${key} of all kinds`, () => assert.ok(ofAll.includes(key)));
  }

  for (const [kind, fields] of Object.entries({
    message: messageFields,
    presence: presenceFields,
    iq: iqFields,
  })) {
    test(`documents exactly the keys of ${kind}`, () => {
      const keys = Object.keys(fields).filter((key) => !Object.hasOwn(commonFields, key));
      assert.deepEqual(keysOf(kind).sort(), keys.sort());
    });
  }
});
