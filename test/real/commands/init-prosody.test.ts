import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createInitPlan } from '../../../src/cli/lib/init-plan.ts';
import { formatServerConfig } from '../../../src/cli/lib/init-server-config.ts';
import { needs } from '../peers/peers.ts';
import { runProgram } from '../support/program.ts';

/** What an ordinary Prosody has before our lines come to its end. */
const configBefore = (folder: string) => `
run_as_root = true
pidfile = "${folder}/prosody.pid"
data_path = "${folder}/data"
plugin_paths = { "/usr/lib/prosody/modules" }
modules_enabled = { "disco", "roster", "saslauth", "tls" }
authentication = "internal_hashed"
log = "*console"
VirtualHost "example.org"
`;

describe('the lines that porter init prints for Prosody', { skip: needs('prosody') }, () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'porter-prosody-check-'));
    await mkdir(join(folder, 'data'));
    // `prosodyctl` may read as another user.
    await chmod(folder, 0o755);
  });
  after(() => rm(folder, { recursive: true }));

  const check = async (lines: string) => {
    const file = join(folder, 'prosody.cfg.lua');
    await writeFile(file, configBefore(folder) + lines);
    await chmod(file, 0o644);
    const { code, stdout, stderr } = await runProgram('prosodyctl', ['--config', file, 'check', 'config']);
    return { code, told: stdout + stderr };
  };

  test('leave prosodyctl check with nothing to say', async () => {
    const { code, told } = await check(formatServerConfig(createInitPlan('prosody', 'example.org')));
    assert.equal(code, 0, told);
    assert.match(told, /All checks passed|Done\./);
  });

  test('need no disco_items, because the name of the component lies below the host', async () => {
    const elsewhere = await check(formatServerConfig(createInitPlan('prosody', 'elsewhere.example')));
    assert.match(elsewhere.told, /unreferenced components:\s+upload\.elsewhere\.example/);
  });
});
