import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { checkBinaries } from '../../../packaging/release/binaries.ts';
import { httpRequest } from '../../support/http.ts';
import { createTemporaryFolder } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';
import { Program, runProgram } from '../support/program.ts';
import { openSlotConfig, uploadFile } from '../support/slots.ts';

const ROOT = join(import.meta.dirname, '../../..');

// `npm run test:packages` installs the packages with systemd; this test unpacks one. See docs/releasing.md.
describe('The Debian package for amd64', {
  skip: !existsSync('/usr/bin/dpkg-deb') || process.arch !== 'x64',
}, () => {
  let folder: string;
  const inside = (path: string) => join(folder, 'root/usr/lib/porter', path);

  before(async () => {
    folder = await createTemporaryFolder();
    const build = [
      join(ROOT, 'packaging/release/release.ts'),
      'deb',
      '--arch',
      'amd64',
      '--fast',
      '--out',
      folder,
    ];
    const { code, stdout, stderr } = await runProgram(process.execPath, build);
    assert.equal(code, 0, stdout + stderr);
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
    const file = join(folder, `xmpp-porter_${version}_amd64.deb`);
    assert.equal((await runProgram('dpkg-deb', ['--extract', file, join(folder, 'root')])).code, 0);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** Returns a PNG that the library in the package has made. */
  async function drawPicture(): Promise<Buffer> {
    const script =
      'require(process.argv[1])({create:{width:900,height:900,channels:3,background:"red"}}).png().toFile(process.argv[2])';
    const args = ['-e', script, inside('app/node_modules/sharp'), join(folder, 'red.png')];
    const { code, stderr } = await runProgram(inside('bin/node'), args);
    assert.equal(code, 0, stderr);
    return readFile(join(folder, 'red.png'));
  }

  test('has only programs and libraries for its processor, and those that make thumbnails', () => {
    const files = checkBinaries(join(folder, 'root'), 'amd64').map(({ file }) => file);
    for (const part of ['porter/bin/node', 'sharp-linux-x64', 'libvips-cpp'])
      assert.ok(
        files.some((file) => file.includes(part)),
        part,
      );
  });

  test('serves files, thumbnails and the web page with its own Node.js and libvips', async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const config = {
      listen: `127.0.0.1:${port}`,
      web: { path: '/web/' },
      thumbnails: true,
      ...openSlotConfig,
    };
    await writeFile(join(folder, 'porter.yml'), JSON.stringify(config));
    const program = new Program(inside('bin/node'), [inside('app/dist/main.js'), 'serve'], { cwd: folder });
    try {
      await program.waitFor('a ready server', () =>
        httpRequest(`${url}/readyz`).then(
          ({ status }) => status === 200,
          () => false,
        ),
      );
      const link = await uploadFile({ url }, Buffer.from('Hello'));
      assert.equal((await httpRequest(link)).text, 'Hello');
      const picture = await uploadFile({ url }, await drawPicture(), { name: 'a.png', type: 'image/png' });
      const thumbnail = await httpRequest(`${picture}?thumb=320`);
      assert.deepEqual([thumbnail.status, thumbnail.headers['content-type']], [200, 'image/webp']);
      assert.match((await httpRequest(`${url}/web/`)).text, /<script/);
    } finally {
      await program.stop();
    }
  });
});
