import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { MAIN } from '../../support/paths.ts';
import { createTemporaryFolder } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';
import { Program } from '../support/program.ts';

test('A server with `ulimit -n 200` keeps answering while two clients hold as many connections as they can', async (t) => {
  const port = await freePort();
  const folder = await createTemporaryFolder();
  const url = `http://127.0.0.1:${port}`;
  await writeFile(join(folder, 'porter.yml'), `listen: 127.0.0.1:${port}\ntrusted_proxies: []\n`);
  const server = new Program('sh', ['-c', `ulimit -n 200; exec "${process.execPath}" "${MAIN}" serve`], {
    cwd: folder,
  });
  t.after(() => server.stop());
  const isUp = () =>
    httpRequest(`${url}/healthz`).then(
      () => true,
      () => false,
    );
  await server.waitFor('an answer', isUp);
  for (let i = 0; i < 300; i += 1) {
    const socket = connect({ port, host: '127.0.0.1', localAddress: i % 2 ? '127.1.0.2' : '127.1.0.3' });
    t.after(() => socket.destroy());
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write('POST /slot/ HTTP/1.1\r\nHost: h\r\nX-Slow: ');
  }
  for (const path of ['/healthz', '/readyz']) assert.equal((await httpRequest(`${url}${path}`)).status, 200);
  const { text } = await httpRequest(`${url}/metrics`);
  assert.match(text, /^porter_dropped_connections_total\{reason="\w+"\} [1-9]/m);
  assert.match(server.output, /because of a limit/);
});
