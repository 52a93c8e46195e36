import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { httpRequest } from '../../support/http.ts';
import { CONTRIB } from '../../support/paths.ts';
import { writeCertificate } from '../../support/self-signed-certificate.ts';
import { startNginx } from '../peers/nginx.ts';
import { needs } from '../peers/peers.ts';
import { replaceInSnippet } from '../peers/web-server.ts';
import { createTemporaryFolder, startPorter } from '../support/porter-process.ts';
import { freePorts } from '../support/ports.ts';

const HOST = 'upload.example.org';
const INSIDE = `GET /healthz HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
const CHUNKED = `0\r\n\r\n${INSIDE}`;
const put = (...headers: readonly string[]) =>
  `${['PUT /upload/0123456789/a.jpg HTTP/1.1', `Host: ${HOST}`, ...headers].join('\r\n')}\r\n\r\n`;

/** Requests whose body nginx and Porter might delimit differently. The body contains a request. */
const ATTACKS: readonly string[] = [
  put(`Content-Length: ${INSIDE.length}`) + INSIDE,
  put(`Content-Length: ${CHUNKED.length}`, 'Transfer-Encoding: chunked') + CHUNKED,
  put('Content-Length: 0', `Content-Length: ${INSIDE.length}`) + INSIDE,
  put(`Content-Length: +${INSIDE.length}`) + INSIDE,
  put(`Content-Length: 0, ${INSIDE.length}`) + INSIDE,
  put(`Content-Length: ${CHUNKED.length}`, 'Transfer-Encoding: xchunked') + CHUNKED,
  put(`Content-Length: ${CHUNKED.length}`, 'Transfer-Encoding : chunked') + CHUNKED,
  put(`Content-Length: ${CHUNKED.length}`, 'Transfer-Encoding:\x0bchunked') + CHUNKED,
  put(`Content-Length: ${INSIDE.length}`, 'Expect: 100-continue') + INSIDE,
  put(`Content-Length: ${INSIDE.length}`).replace('a.jpg', 'tr\xc3\xa8s.jpg') +
    INSIDE.replace('healthz', 'healthz\xc3\xa9'),
];

test('A request inside a body never becomes the answer to another client of nginx', {
  skip: needs('nginx'),
}, async (t) => {
  const folder = await createTemporaryFolder();
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [port = 0] = await freePorts(1);
  const porter = await startPorter({ config: { slot_api: {}, access: [{ jid: '.*' }] } });
  t.after(() => porter.remove());
  const { cert, key } = await writeCertificate(folder, [HOST]);
  // Keeps connections to Porter for the next client.
  const snippet = replaceInSnippet(await readFile(join(CONTRIB, 'nginx/several.conf'), 'utf8'), {
    [`/etc/letsencrypt/live/${HOST}/fullchain.pem`]: cert,
    [`/etc/letsencrypt/live/${HOST}/privkey.pem`]: key,
    'listen 443 ssl;': `listen 127.0.0.1:${port} ssl;`,
    'listen [::]:443 ssl;': '',
    '10.0.0.11:5050 max_fails=1': `127.0.0.1:${porter.port} max_fails=0`,
    '    server 10.0.0.12:5050 max_fails=1 fail_timeout=5s;\n': '',
  });
  const nginx = await startNginx(port, snippet);
  t.after(() => nginx.stop());
  const ca = await readFile(cert, 'utf8');
  for (const attack of ATTACKS) {
    const answers = await send(port, ca, attack);
    assert.doesNotMatch(answers, /\r\n\r\nok\n/, attack);
    for (let i = 0; i < 3; i += 1) {
      const { status, text } = await httpRequest(`https://${HOST}:${port}/robots.txt`, { ca });
      assert.deepEqual([status, text.startsWith('User-agent')], [200, true], attack);
    }
  }
});

/** Sends bytes and returns all that comes until the first answer is complete or the connection is closed. */
function send(port: number, ca: string, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ port, host: '127.0.0.1', servername: HOST, ca }, () =>
      socket.end(bytes, 'latin1'),
    );
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}
