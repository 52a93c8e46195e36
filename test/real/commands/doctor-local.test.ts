import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { MAIN } from '../../support/paths.ts';
import { needsSharp } from '../../support/pictures.ts';
import { needs } from '../peers/peers.ts';
import { startProsody } from '../peers/prosody.ts';
import { createTemporaryFolder, runPorter, startPorter } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';
import { Program } from '../support/program.ts';
import { assertFindings, runDoctor } from '../support/run-doctor.ts';
import { mountTmpfs, needsMount } from '../support/tmpfs.ts';

const access = [{ jid: '.*', max_file_size: '2 MB' }];

/** Writes a `porter.yml` into a new folder, without starting a server. */
async function withConfig(
  config: Record<string, unknown>,
  work: (file: string, folder: string) => Promise<void>,
) {
  const folder = await createTemporaryFolder();
  const file = join(folder, 'porter.yml');
  try {
    await writeFile(file, JSON.stringify(config));
    await work(file, folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('porter doctor, on the same machine', { concurrency: 4 }, () => {
  test('reports that no server runs, and still runs the checks that need none', async () => {
    const port = await freePort();
    await withConfig({ listen: `127.0.0.1:${port}`, access }, async (file) => {
      const diagnosis = await runDoctor(file);
      assertFindings(diagnosis, 'fail', {
        stores: /No ledger found at/,
        server: /No answer at.*Start `porter serve`/,
      });
      assert.equal(diagnosis.code, 1);
    });
  });

  test('exits with 2 if the config is invalid, and names the line', async () => {
    await withConfig({ acess: access }, async (file) => {
      const { code, output } = await runDoctor(file);
      assert.equal(code, 2);
      assert.match(output, /porter\.yml:1.*acess/);
    });
  });

  test('reports a folder that the running server can no longer write to', {
    skip: needsMount(),
  }, async () => {
    const folder = await createTemporaryFolder();
    // Not even root can write to a read-only file system.
    const disk = await mountTmpfs(join(folder, 'blobs'), 16);
    try {
      const porter = await startPorter({ folder, config: { storage: { blobs: disk.path }, access } });
      try {
        await disk.makeReadOnly();
        const diagnosis = await runDoctor(join(folder, 'porter.yml'));
        const { checks, texts } = failures(diagnosis.findings);
        assert.ok(checks.includes('blobs') && checks.includes('server: blobs'), diagnosis.output);
        assert.match(texts, /must belong to the user that runs Porter/);
        assert.ok(texts.includes(`chown -R porter ${disk.path}`), diagnosis.output);
      } finally {
        await porter.stop();
      }
    } finally {
      await disk.remove();
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('reports a new folder that cannot be written, where the server refuses to start and names it', async () => {
    const port = await freePort();
    const config = { listen: `127.0.0.1:${port}`, storage: { blobs: '/sys/kernel' }, access };
    await withConfig(config, async (file, folder) => {
      const { code, stdout, stderr } = await runPorter(['serve', '-c', file], { cwd: folder });
      assert.equal(code, 1);
      const remedy = /Cannot write to storage\.blobs, \/sys\/kernel: .*chown -R porter \/sys\/kernel/;
      assert.match(stdout + stderr, remedy);
      const diagnosis = await runDoctor(file);
      const { checks, texts } = failures(diagnosis.findings);
      assert.ok(checks.includes('blobs') && checks.includes('server'), diagnosis.output);
      assert.match(texts, /chown -R porter \/sys\/kernel/);
    });
  });

  test('reports that no rule allows uploads, and that clients need an address', async () => {
    const porter = await startPorter({ config: { slot_api: {} } });
    try {
      const diagnosis = await runDoctor(join(porter.folder, 'porter.yml'));
      assertFindings(diagnosis, 'fail', {});
      assertFindings(diagnosis, 'warn', { config: /No access rules/, public_url: /--url/ });
      assert.equal(diagnosis.code, 0);
    } finally {
      await porter.remove();
    }
  });

  test('works through a Unix socket', async () => {
    const folder = await createTemporaryFolder();
    const porter = await startPorter({ folder, config: { access } });
    try {
      const socket = join(folder, 'porter.sock');
      await porter.writeConfig({ listen: [`unix:${socket}`, `127.0.0.1:${porter.port}`], access });
      await porter.stop();
      const again = await startPorter({
        folder,
        port: porter.port,
        config: { listen: [`unix:${socket}`, `127.0.0.1:${porter.port}`], access },
      });
      const diagnosis = await runDoctor(join(folder, 'porter.yml'));
      await again.remove();
      assertFindings(diagnosis, 'fail', {});
    } finally {
      await porter.remove();
    }
  });

  test('leaves no file, thumbnail, slot or owner behind, also when it is interrupted', async () => {
    const hasThumbnails = needsSharp() === false;
    const porter = await startPorter({ config: { access, thumbnails: hasThumbnails } });
    try {
      const file = join(porter.folder, 'porter.yml');
      const { code, findings, output } = await runDoctor(file);
      assert.equal(code, 0, output);
      const thumbnails = findings.find(({ check }) => check === 'thumbnails');
      assert.equal(thumbnails?.state, hasThumbnails ? 'ok' : undefined, output);
      const doctor = new Program(process.execPath, [MAIN, 'doctor', '-c', file]);
      await doctor.waitFor('its first upload', () => doctor.stdout.includes('upload: '));
      await doctor.stop('SIGINT');
      const { stdout } = await porter.runCommand('stats', '--json');
      const { uploads, pendingUploads, owners } = JSON.parse(stdout) as Record<string, number>;
      assert.deepEqual({ uploads, pendingUploads, owners }, { uploads: 0, pendingUploads: 0, owners: 0 });
      assert.deepEqual(globSync('data/blobs/*/*', { cwd: porter.folder }), []);
    } finally {
      await porter.remove();
    }
  });

  test('leaves no record in the database and no line in the log, so that a monitor can run it', async () => {
    const porter = await startPorter({
      config: {
        access,
        slot_api: {},
        external: { secret: 'a-secret-of-prosody' },
        file_share: { secret: 'another-secret-of-prosody' },
        messages: {},
      },
    });
    try {
      const file = join(porter.folder, 'porter.yml');
      const sweep = () => porter.program.output.includes('sweep done');
      await porter.program.waitFor('the first sweep', sweep);
      const [rows, log] = [countRows(porter.folder), porter.program.output];
      const { code, output } = await runDoctor(file, ['--url', porter.url]);
      assert.equal(code, 0, output);
      assert.deepEqual(countRows(porter.folder), rows);
      await porter.stop();
      const lines = porter.program.output.slice(log.length).trim().split('\n');
      assert.deepEqual(
        lines.map((line) => (JSON.parse(line) as { msg: string }).msg),
        ['stopping', 'stopped'],
      );
    } finally {
      await porter.remove();
    }
  });

  test('prints one line per finding in its human-readable form', async () => {
    const porter = await startPorter({ config: { access } });
    try {
      const { code, stdout } = await porter.runCommand('doctor');
      assert.equal(code, 0);
      assert.match(stdout, /^ok {4}ledger: The database answers/m);
      assert.match(stdout, /^WARN {2}public_url: /m);
      assert.match(stdout, /All checks passed, with 1 warning\.\n$/);
    } finally {
      await porter.remove();
    }
  });
});

/** The number of rows of every table. */
function countRows(folder: string): Record<string, unknown> {
  const database = new DatabaseSync(join(folder, 'data/porter.db'), { readOnly: true });
  try {
    const tables = database.prepare("select name from sqlite_master where type = 'table'").all();
    return Object.fromEntries(
      tables.map(({ name }) => [name, database.prepare(`select count(*) as n from "${name}"`).get()?.n]),
    );
  } finally {
    database.close();
  }
}

function failures(findings: readonly { check: string; state: string; text: string }[]) {
  const failed = findings.filter(({ state }) => state === 'fail');
  return { checks: failed.map(({ check }) => check), texts: failed.map(({ text }) => text).join('\n') };
}

/** A Prosody module that moves the clock of XEP-0202 ten minutes ahead. */
const FAST_CLOCK = `
modules_enabled = { "disco", "roster", "saslauth", "ping", "time" }
do
  local datetime = require "util.datetime"
  local original = datetime.datetime
  datetime.datetime = function (time) return original((time or os.time()) + 600) end
end
`;

describe('porter doctor, with a real Prosody', { skip: needs('prosody') }, () => {
  const good = { jid: 'upload.localhost', secret: 'a-secret-that-both-know' };
  const server = (port: number) => ({ server: `127.0.0.1:${port}` });

  test('reports a wrong secret and a component that is missing from the server, and accepts a correct one', async () => {
    const other = { jid: 'files.localhost', secret: 'a-secret-that-is-wrong' };
    const prosody = await startProsody({ components: [good, { ...other, secret: 'what-it-really-is' }] });
    const at = server(prosody.componentPort);
    const unknown = { jid: 'nowhere.localhost', secret: 'what-does-it-matter' };
    const porter = await startPorter({
      config: {
        access,
        public_url: 'http://localhost',
        component: [good, other, unknown].map((one) => ({ ...one, ...at })),
      },
    });
    try {
      await porter.program.waitFor('its stream', () =>
        porter.program.output.includes('component stream is up'),
      );
      const diagnosis = await runDoctor(join(porter.folder, 'porter.yml'), ['--url', porter.url]);
      assertFindings(diagnosis, 'fail', {
        'component files.localhost': /refuses the secret of files\.localhost: component\.secret must be/,
        'component nowhere.localhost': /does not know the component nowhere\.localhost: add Component/,
      });
      const passed = diagnosis.findings.find(({ check }) => check === 'component upload.localhost');
      assert.equal(passed?.state, 'ok', diagnosis.output);
    } finally {
      await porter.remove();
      await prosody.stop();
    }
  });

  test('connects the component itself if no server runs', async () => {
    const prosody = await startProsody({ components: [good] });
    const port = await freePort();
    const component = { ...good, ...server(prosody.componentPort) };
    try {
      await withConfig(
        { listen: `127.0.0.1:${port}`, access, public_url: 'http://localhost', component },
        async (file) => {
          const { findings, output } = await runDoctor(file);
          const passed = findings.find(({ check }) => check === 'component upload.localhost');
          assert.deepEqual(
            [passed?.state, passed?.text],
            ['ok', 'The XMPP server accepts the login.'],
            output,
          );
        },
      );
    } finally {
      await prosody.stop();
    }
  });

  test('reports that no server listens for components at the configured address', async () => {
    const [port, unusedPort] = [await freePort(), await freePort()];
    const component = { ...good, ...server(unusedPort) };
    await withConfig(
      { listen: `127.0.0.1:${port}`, access, public_url: 'http://localhost', component },
      async (file) => {
        const { findings, output } = await runDoctor(file);
        const found = findings.find(({ check }) => check === 'component upload.localhost');
        assert.equal(found?.state, 'fail');
        assert.match(found?.text ?? '', /Nothing listens at 127\.0\.0\.1/, output);
      },
    );
  });

  for (const [how, running] of [
    ['through the running server', true],
    ['without a running server', false],
  ] as const) {
    test(`reports a clock that is ten minutes ahead, ${how}`, async () => {
      const prosody = await startProsody({ components: [good], global: FAST_CLOCK });
      const component = { ...good, ...server(prosody.componentPort) };
      const config = { access, public_url: 'http://localhost', component };
      const porter = await startPorter({ config });
      try {
        if (running) {
          await porter.program.waitFor('its stream', () =>
            porter.program.output.includes('component stream is up'),
          );
        } else await porter.stop();
        const { findings, output } = await runDoctor(join(porter.folder, 'porter.yml'), [
          '--url',
          porter.url,
        ]);
        const found = findings.find(({ check }) => check === 'clock of the XMPP server (upload.localhost)');
        assert.equal(found?.state, 'fail', output);
        assert.match(found?.text ?? '', /(?:10 min|9 min 59 s).* ahead of this machine's/, output);
      } finally {
        await porter.remove();
        await prosody.stop();
      }
    });
  }
});

test('porter doctor --help shows an example', async () => {
  const { code, stdout } = await runPorter(['doctor', '--help']);
  assert.equal(code, 0);
  assert.match(stdout, /porter doctor -c/);
});
