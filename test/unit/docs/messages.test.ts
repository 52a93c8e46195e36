import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { errorTable } from '../../../src/base/errors.ts';
import { statusFor } from '../../../src/http/common/error-response.ts';
import { listConfigProblems } from '../config/parse-test-config.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../../docs/messages.md'), 'utf8');

describe('docs/messages.md', () => {
  test('has a valid example config', () => {
    const blocks = [...PAGE.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '');
    assert.equal(blocks.length, 1);
    const text = (blocks[0] ?? '')
      .replace('secret_file: component-secret', 'secret: a-secret-that-is-long')
      .replace('token_file: alerts-token', 'token: 0123456789abcdef');
    assert.deepEqual(listConfigProblems(text), []);
  });

  test('documents every status of a refused message', () => {
    const codes = [
      'bad_request',
      'unauthorized',
      'credentials_wrong',
      'recipient_refused',
      'denied',
      'key_in_use',
      'message_too_large',
      'file_too_large',
      'quota_exceeded',
      'media_type_unknown',
      'recipient_missing',
      'body_missing',
      'key_reused',
      'too_many_attempts',
      'too_many_messages',
      'bounced',
      'server_refused',
      'unavailable',
      'queue_full',
      'no_answer',
      'storage_full',
    ] as const satisfies (keyof typeof errorTable)[];
    for (const code of codes) {
      assert.match(PAGE, new RegExp(`^\\| ${statusFor(code, 'messages')} \\|`, 'm'), code);
    }
  });
});
