import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { digestsEqual, secretsEqual } from '../../../src/base/ids.ts';
import { createTokenFinder } from '../../../src/messages/authenticate.ts';
import { createPasswordMatcher } from '../../../src/xmpp/client/password-matcher.ts';

const SOURCES = join(import.meta.dirname, '../../../src');
const SECRET = 'a-secret-of-32-characters-0123456';
const WRONG = [
  '',
  'a',
  `${SECRET}x`,
  SECRET.slice(1),
  SECRET.slice(0, -1),
  `b${SECRET.slice(1)}`,
  `${SECRET.slice(0, -1)}x`,
];

describe('a comparison of secrets', () => {
  test('takes the same time for every wrong one: only base/ids.ts compares, by timingSafeEqual', () => {
    const files = globSync('**/*.ts', { cwd: SOURCES });
    const using = files.filter((file) =>
      readFileSync(join(SOURCES, file), 'utf8').includes('timingSafeEqual'),
    );
    assert.deepEqual(using, ['base/ids.ts']);
  });

  test('is not made with === by code that answers requests', () => {
    const suspicious =
      /\b\w*(?:secret|token|password|signature|mac|digest)\w*(?:\(\w*\))? [!=]==? (?!undefined|null|''|'\w)/i;
    // The digest of a request body is no secret; the config compares its own tokens at the start; a room's password is the
    // caller's own.
    const allowed = [
      'ledger/sql/messages/idempotency.ts',
      'config/message-option-checks.ts',
      'messages/delivery/room.ts',
    ];
    for (const folder of ['http', 'messages', 'xmpp', 'uploads'])
      for (const file of globSync(`${folder}/**/*.ts`, { cwd: SOURCES })) {
        if (allowed.includes(file)) continue;
        for (const line of readFileSync(join(SOURCES, file), 'utf8').split('\n'))
          assert.doesNotMatch(line, suspicious, file);
      }
  });

  test('accepts the secret and nothing else', () => {
    const findToken = createTokenFinder([{ token: 'other' }, { token: SECRET }]);
    const matches = createPasswordMatcher(SECRET);
    assert.ok(secretsEqual(SECRET, SECRET) && matches(SECRET) && findToken(SECRET));
    for (const wrong of WRONG) {
      assert.equal(secretsEqual(wrong, SECRET), false);
      assert.equal(matches(wrong), false);
      assert.equal(findToken(wrong), undefined);
      assert.equal(digestsEqual(Buffer.from(wrong), Buffer.from(SECRET)), false);
    }
  });
});
