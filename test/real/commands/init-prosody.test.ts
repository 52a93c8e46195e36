import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createInitPlan } from '../../../src/cli/lib/init-plan.ts';
import { formatServerConfig } from '../../../src/cli/lib/init-server-config.ts';
import { needs } from '../peers/peers.ts';
import { runProgram } from '../support/program.ts';

/** A usual Prosody config, to which the lines are appended. */
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

describe('The lines that porter init prints for Prosody', { skip: needs('prosody') }, () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'porter-prosody-check-'));
    await mkdir(join(folder, 'data'));
    // `prosodyctl` may run as another user.
    await chmod(folder, 0o755);
  });
  after(() => rm(folder, { recursive: true }));

  const check = async (lines: string) => {
    const file = join(folder, 'prosody.cfg.lua');
    await writeFile(file, configBefore(folder) + lines);
    await chmod(file, 0o644);
    const { code, stdout, stderr } = await runProgram('prosodyctl', ['--config', file, 'check', 'config']);
    return { code, output: stdout + stderr };
  };

  test('pass prosodyctl check without warnings', async () => {
    const { code, output } = await check(formatServerConfig(createInitPlan('prosody', ['example.org'])));
    assert.equal(code, 0, output);
    assert.match(output, /All checks passed|Done\./);
  });

  test('need no disco_items for a direct subdomain of the host', async () => {
    const elsewhere = await check(formatServerConfig(createInitPlan('prosody', ['elsewhere.example'])));
    assert.match(elsewhere.output, /unreferenced components:\s+upload\.elsewhere\.example/);
  });

  test('have disco_items for any other name, and pass the check too', async () => {
    const plan = createInitPlan('prosody', ['example.org'], { componentJid: 'files.elsewhere.example' });
    const lines = formatServerConfig(plan);
    assert.match(lines, /VirtualHost "example\.org"\n {4}disco_items = \{ \{ "files\.elsewhere\.example",/);
    const { code, output } = await check(lines);
    assert.equal(code, 0, output);
    assert.doesNotMatch(output, /unreferenced components/);
  });
});
