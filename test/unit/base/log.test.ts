import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';

const LOG = join(import.meta.dirname, '../../../src/base/log.ts');
const KEYS = ['secret', 'token', 'password', 'authorization', 'cookie', 'putUrl', 'putKey'];

/** Logs one line in a separate process, because the log writes to a file descriptor. */
function logLine(format: 'json' | 'pretty', fields: Record<string, unknown>): string {
  const code = `import { createLog } from ${JSON.stringify(LOG)};
    createLog({ level: 'info', format: ${JSON.stringify(format)} }).info(${JSON.stringify(fields)}, 'a line');`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
  });
  assert.match(stdout, /a line/, stderr);
  return stdout;
}

describe('the log', () => {
  for (const format of ['json', 'pretty'] as const)
    test(`never contains a token, password or upload link, at any of three levels: ${format}`, () => {
      const secrets = Object.fromEntries(KEYS.map((key) => [key, `hidden-${key}`]));
      const line = logLine(format, {
        ...secrets,
        request: { ...secrets, headers: secrets },
        shown: 'visible',
      });
      assert.match(line, /visible/);
      assert.doesNotMatch(line, /hidden-/);
    });
});
