import assert from 'node:assert/strict';
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type HttpRequestOptions, type HttpResponse, httpRequest } from '../../support/http.ts';
import { type CertificateFiles, writeCertificate } from '../../support/self-signed-certificate.ts';
import { startNginx } from '../peers/nginx.ts';
import { needs } from '../peers/peers.ts';
import type { WebServer } from '../peers/web-server.ts';
import { createTemporaryFolder, type PorterProcess, startPorter } from '../support/porter-process.ts';
import { freePorts } from '../support/ports.ts';

const HOST = 'localhost';
const SECRET = 'a secret that Prosody has too';
/** The trusted address; the other addresses of 127.0.0.0/8 are untrusted. */
const TRUSTED = ['127.0.0.1/32'];
const UNTRUSTED_ADDRESS = '127.0.0.9';
const SLOT = 'slot/?jid=romeo@example.org&name=a.jpg&size=5&content_type=image/jpeg';

/** File names that XMPP servers put into paths (docs/protocols.md, "Signed links: HMAC"). */
const NAMES = [
  'très cool.jpg',
  'a+b 100%.txt',
  'Foto (1).JPG',
  'x;y=z&q?#.png',
  '日本語.pdf',
  'e\u0301.txt',
  '😀.gif',
  "it's (a) ~tilde~.txt",
];

const common = {
  trusted_proxies: TRUSTED,
  slot_api: { allow_from: TRUSTED },
  access: [{ jid: '.*' }],
};

describe('Behind reverse proxies', { skip: needs('nginx'), concurrency: true }, () => {
  let folder = '';
  let certificate: CertificateFiles;
  let ca = '';
  let ports: number[] = [];
  let nginx: WebServer;
  let nameless: PorterProcess;
  let below: PorterProcess;

  before(async () => {
    folder = await createTemporaryFolder();
    certificate = await writeCertificate(folder, [HOST]);
    ca = await readFile(certificate.cert, 'utf8');
    ports = await freePorts(7);
    const [, , , , , passedOn = 0, downloads = 0] = ports;
    const socket = join(folder, 'porter.sock');
    const port = await freePorts(1);
    nameless = await startPorter({
      port: port[0] ?? 0,
      config: { ...common, listen: [`unix:${socket}`, `127.0.0.1:${port[0]}`] },
    });
    below = await startPorter({
      config: {
        ...common,
        public_url: `https://${HOST}:${passedOn}/share`,
        download_url: `https://${HOST}:${downloads}/of/people`,
        external: { path: '/upload/', secret: SECRET, max_file_size: '1 MB' },
      },
    });
    nginx = await startNginx(ports[0] ?? 0, servers(socket));
  });
  after(async () => {
    await nginx?.stop();
    await nameless?.remove();
    await below?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  function servers(socket: string): string {
    const [unix = 0, forwarded = 0, outer = 0, inner = 0, cutOff = 0, passedOn = 0, downloads = 0] = ports;
    const tcp = `http://127.0.0.1:${nameless.port}`;
    const forwardedHeaders = [
      'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
      'proxy_set_header X-Forwarded-Proto $scheme;',
      'proxy_set_header X-Forwarded-Host $http_host;',
    ].join(' ');
    return [
      server(unix, `location / { proxy_pass http://unix:${socket}:; ${forwardedHeaders} }`),
      server(
        forwarded,
        `location / { proxy_pass ${tcp};
          proxy_set_header Forwarded 'for=$remote_addr;proto=$scheme;host="$http_host"'; }`,
      ),
      server(outer, `location / { proxy_pass http://127.0.0.1:${inner}; ${forwardedHeaders} }`),
      `server {
        listen 127.0.0.1:${inner};
        location / {
          proxy_pass ${tcp};
          proxy_set_header Host $http_host;
          proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
          proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto;
          proxy_set_header X-Forwarded-Host $http_x_forwarded_host;
        }
      }`,
      server(cutOff, `location /share/ { proxy_pass ${below.url}/; ${forwardedHeaders} }`),
      server(passedOn, `location /share/ { proxy_pass ${below.url}; ${forwardedHeaders} }`),
      server(downloads, `location /of/people/ { proxy_pass ${below.url}/; ${forwardedHeaders} }`),
    ].join('\n');
  }

  function server(port: number, locations: string): string {
    return `server {
      listen 127.0.0.1:${port} ssl;
      ssl_certificate ${certificate.cert};
      ssl_certificate_key ${certificate.key};
      ${locations}
    }`;
  }

  const at = (route: number, path: string) => `https://${HOST}:${ports[route]}/${path}`;
  const request = (url: string, options: HttpRequestOptions = {}): Promise<HttpResponse> =>
    httpRequest(url, { ca, ...options });

  const routes = [
    ['a Unix socket', 0],
    ['a proxy that writes only Forwarded', 1],
    ['two proxies', 2],
  ] as const;

  for (const [name, route] of routes) {
    test(`${name}: links contain the requested protocol and host, and work`, async () => {
      const { status, text } = await request(at(route, SLOT));
      assert.equal(status, 200, text);
      const [put = '', get = ''] = text.split('\n');
      for (const link of [put, get]) assert.ok(link.startsWith(at(route, '')), link);
      assert.equal((await request(put, { method: 'PUT', body: 'hello' })).status, 201);
      assert.equal((await request(get)).text, 'hello');
    });

    test(`${name}: untrusted addresses are refused by the slot API, whatever headers they send`, async () => {
      const claims = ['127.0.0.1', '127.0.0.1, 127.0.0.1', 'unknown'].flatMap((claim) => [
        { 'X-Forwarded-For': claim },
        { Forwarded: `for=${claim}` },
        { 'X-Forwarded-For': claim, Forwarded: `for=${claim}` },
      ]);
      for (const headers of [{}, ...claims]) {
        const { status } = await request(at(route, SLOT), { localAddress: UNTRUSTED_ADDRESS, headers });
        assert.equal(status, 403, JSON.stringify(headers));
      }
    });
  }

  test('files uploaded to public_url are served by a download_url with another path', async () => {
    const { text } = await httpRequest(`${below.url}/${SLOT}`);
    const [put = '', get = ''] = text.split('\n');
    assert.ok(put.startsWith(at(5, 'share/put/')), put);
    assert.ok(get.startsWith(at(6, 'of/people/files/')), get);
    assert.equal((await request(put, { method: 'PUT', body: 'hello' })).status, 201);
    assert.equal((await request(get)).text, 'hello');
  });

  for (const [how, route] of [
    ['kept', 5],
    ['removed, with the rest encoded again', 4],
  ] as const) {
    test(`links signed by Prosody work with every name if the prefix of their path is ${how}`, async () => {
      for (const name of NAMES) {
        const path = `${randomUUID()}/${name}`;
        const body = randomBytes(500);
        const v = createHmac('sha256', SECRET).update(`${path} ${body.length}`).digest('hex');
        const url = at(route, `share/upload/${path.split('/').map(encodeAsProsody).join('/')}`);
        const stored = await request(`${url}?v=${v}`, { method: 'PUT', body });
        assert.equal(stored.status, 201, `${name}: ${stored.text}`);
        assert.ok((await request(url)).body.equals(body), name);
        assert.equal(
          (await request(`${url}?v=${v.replace(/^./, '0')}0`, { method: 'PUT', body })).status,
          403,
        );
      }
    });
  }
});

/** Percent-encodes every byte except letters, digits and `.~_-`, in lower-case hex. */
function encodeAsProsody(text: string): string {
  const bytes = [...Buffer.from(text)];
  return bytes
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return /[A-Za-z0-9.~_-]/.test(char) ? char : `%${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
}
