import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { describeSocketAccess, explainSocketError } from '../../../src/doctor/unix-socket.ts';

describe('a Unix socket', () => {
  let folder = '';
  let socket = '';
  const server = createServer();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'porter-socket-'));
    await chmod(folder, 0o755);
    await mkdir(join(folder, 'run'), { mode: 0o750 });
    socket = join(folder, 'run', 'porter.sock');
    await new Promise<void>((done) => server.listen(socket, done));
    await chmod(socket, 0o660);
  });
  after(async () => {
    server.close();
    await rm(folder, { recursive: true });
  });

  test('that nothing answers at is explained by its cause: folder, file, stopped process or permission', async () => {
    const explain = (path: string, code = 'ENOENT') => explainSocketError(code, path);
    assert.match(explain(join(folder, 'none/porter.sock')), /The folder .*none does not exist.*Create it/);
    assert.match(explain(join(folder, 'porter.sock')), /There is no socket .*Start `porter serve`/);
    await writeFile(join(folder, 'file'), '');
    assert.match(explain(join(folder, 'file'), 'ECONNREFUSED'), /is not a socket\. Remove it/);
    assert.match(explain(socket, 'ECONNREFUSED'), /has ended \(ECONNREFUSED\)\. Start/);
    assert.match(explain(socket, 'EACCES'), /This user \(uid \d+\) may not use/);
  });

  test('that the web server cannot use is described with the command that opens it', async () => {
    assert.match(describeSocketAccess(socket), /Only uid \d+ and the group \S+ may connect.*usermod -aG/);
    await chmod(socket, 0o600);
    assert.match(
      describeSocketAccess(socket),
      /Only uid \d+ may connect to .* \(mode 600\)\. Run: chmod g\+w/,
    );
    await chmod(socket, 0o666);
    assert.match(describeSocketAccess(socket), /Every user may connect/);
    await chmod(join(folder, 'run'), 0o700);
    assert.match(describeSocketAccess(socket), /may enter .*run \(mode 700\).*chmod g\+x/);
  });
});
