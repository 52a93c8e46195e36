import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { ROOT } from '../../support/paths.ts';
import { writeCertificate } from '../../support/self-signed-certificate.ts';
import { buildTestProgram } from '../../support/test-program.ts';
import { signV } from '../../support/test-signed-links-server.ts';
import { createTemporaryFolder, startPorter } from '../support/porter-process.ts';
import { runProgram } from '../support/program.ts';

const SECRET = 'a secret of the built program';

/** The built program in a folder without `src/` and `node_modules/`. */
suite('the built program, without its sources and dependencies', () => {
  let home: string;
  let main: string;

  before(async () => {
    home = await createTemporaryFolder();
    main = join(home, 'dist/main.js');
    cpSync(dirname(await buildTestProgram()), join(home, 'dist'), { recursive: true });
    for (const name of ['package.json', 'migrations'])
      cpSync(join(ROOT, name), join(home, name), { recursive: true });
  });
  after(() => rm(home, { recursive: true }));

  const runBuilt = (...args: readonly string[]) =>
    runProgram(process.execPath, [main, ...args], {
      cwd: home,
      env: { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' },
    });

  test('stores and serves files with two workers, and serves the web page', async () => {
    const porter = await startPorter({
      main,
      config: {
        public_url: 'http://127.0.0.1',
        workers: 2,
        external: { path: '/up/', secret: SECRET },
        access: [{ jid: '.*' }],
        web: { path: '/web/', admins: ['admin@example.org'] },
      },
    });
    try {
      const link = `${porter.url}/up/a/photo.jpg`;
      const put = await httpRequest(`${link}?v=${signV('a/photo.jpg', 5, SECRET)}`, {
        method: 'PUT',
        body: 'hello',
      });
      assert.equal(put.status, 201, put.text);
      assert.equal((await httpRequest(link)).text, 'hello');
      const page = await httpRequest(`${porter.url}/web/`);
      assert.match(page.text, /<script type="module"/);
    } finally {
      await porter.remove();
    }
  });

  test('serves the web page over TLS', async () => {
    const certificate = await writeCertificate(home, ['127.0.0.1']);
    const config = {
      public_url: 'https://127.0.0.1',
      slot_api: {},
      web: { path: '/web/', admins: ['admin@example.org'] },
    };
    const porter = await startPorter({ main, certificate, config });
    try {
      const ca = await readFile(certificate.cert, 'utf8');
      const page = await httpRequest(`${porter.url}/web/`, { ca });
      assert.match(page.text, /<script type="module"/);
    } finally {
      await porter.remove();
    }
  });

  test('loads neither TLS, HTTP/2 nor `fetch` for a server of files on one address', async () => {
    const list = join(home, 'modules.json');
    const preload = join(home, 'list-modules.cjs');
    await writeFile(
      preload,
      `if (require('node:worker_threads').isMainThread)
        process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(list)}, JSON.stringify(process.moduleLoadList)));`,
    );
    const config = {
      public_url: 'http://127.0.0.1',
      external: { path: '/up/', secret: SECRET },
      access: [{ jid: '.*' }],
    };
    const porter = await startPorter({ main, config, env: { NODE_OPTIONS: `--require=${preload}` } });
    await porter.stop();
    const modules: string[] = JSON.parse(await readFile(list, 'utf8'));
    assert.ok(modules.includes('NativeModule http'), 'the list has the modules that are needed');
    const unwanted = ['http2', 'internal/deps/undici/undici', 'tls', 'zlib'];
    assert.deepEqual(
      unwanted.filter((name) => modules.includes(`NativeModule ${name}`)),
      [],
    );
    await porter.remove();
  });

  test('names the version of the package', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
    assert.match((await runBuilt('--version')).stdout, new RegExp(version.replaceAll('.', '\\.')));
  });

  // No server listens at port 1: the client is loaded and reports it.
  for (const [name, command, storage] of [
    ['PostgreSQL', 'fsck', { ledger: 'postgres://porter@127.0.0.1:1/porter' }],
    ['S3', 'serve', { blobs: 's3://bucket/?endpoint=http://127.0.0.1:1' }],
  ] as const) {
    test(`contains the client of ${name}`, async () => {
      const config = { listen: '127.0.0.1:0', public_url: 'http://127.0.0.1', slot_api: {}, storage };
      await writeFile(join(home, 'porter.yml'), JSON.stringify(config));
      const { code, stderr } = await runBuilt(command, '-c', 'porter.yml');
      assert.match(stderr, /ECONNREFUSED|No answer from http:\/\/127\.0\.0\.1:1/);
      assert.equal(code, 1);
    });
  }
});
