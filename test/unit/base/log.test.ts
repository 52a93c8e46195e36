import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

const LOG = new URL('../../../src/base/log.ts', import.meta.url).href;
const SECRETS = ['secret', 'token', 'password', 'authorization', 'cookie', 'putUrl', 'putKey'];

/** Logs each secret on three levels in another process, and returns its output. */
async function logSecrets(format: 'json' | 'pretty'): Promise<string> {
  const program = `
    const { createLog } = await import(${JSON.stringify(LOG)});
    const log = createLog({ level: 'info', format: ${JSON.stringify(format)} });
    for (const key of ${JSON.stringify(SECRETS)}) {
      const value = 'the-' + key + '-itself';
      log.info({ [key]: value }, 'one level');
      log.info({ request: { [key]: value } }, 'two levels');
      log.info({ request: { headers: { [key]: value } } }, 'three levels');
    }`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  return stdout;
}

for (const format of ['json', 'pretty'] as const) {
  test(`secrets, tokens, passwords and upload links are not logged (${format})`, async () => {
    const output = await logSecrets(format);
    for (const key of SECRETS) assert.doesNotMatch(output, new RegExp(`the-${key}-itself`), key);
    assert.equal(output.match(/\(secret\)/g)?.length, SECRETS.length * 3);
    assert.match(output, /three levels/);
  });
}
