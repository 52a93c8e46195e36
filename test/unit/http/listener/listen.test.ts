import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { listen } from '../../../../src/http/listener/listen.ts';

describe('a Unix socket that cannot be opened is explained by its cause', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'porter-listen-'));
  });
  after(() => rm(folder, { recursive: true }));

  async function reasonFor(path: string): Promise<string> {
    const error: unknown = await listen(createServer(), { path }).catch((reason) => reason);
    assert.ok(error instanceof Error);
    assert.doesNotMatch(error.message, /CAP_NET_BIND_SERVICE/);
    return error.message;
  }

  test('its folder does not exist', async () => {
    assert.match(
      await reasonFor(join(folder, 'none/porter.sock')),
      /the folder \S+none does not exist\. Create it/,
    );
  });

  test('its path is too long for the system', async () => {
    assert.match(await reasonFor(join(folder, 'x'.repeat(120))), /at most 107 bytes\. Choose a shorter one/);
  });

  test('a file has its name', async () => {
    await writeFile(join(folder, 'file'), '');
    assert.match(await reasonFor(join(folder, 'file')), /a file that is not a socket has this name/);
  });
});
