import assert from 'node:assert/strict';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, type TestContext, test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { CONTRIB } from '../../support/paths.ts';
import { writeCertificate } from '../../support/self-signed-certificate.ts';
import { Chromium } from '../peers/chromium.ts';
import { startNginx } from '../peers/nginx.ts';
import { needs } from '../peers/peers.ts';
import { replaceInSnippet, type WebServer } from '../peers/web-server.ts';
import { createTemporaryFolder, type PorterProcess, startPorter } from '../support/porter-process.ts';
import { freePorts } from '../support/ports.ts';

/** The markup that a script of an uploaded file leaves in its page. */
const RAN = 'script-ran';
/** Marks the page, and tells the page around it. */
const SCRIPT = `document.documentElement.id = '${RAN}'; parent.postMessage('${RAN}', '*')`;
const HTML = `<!doctype html><html><body><script>${SCRIPT}</script>text</body></html>`;
const SVG = `<svg xmlns="http://www.w3.org/2000/svg"><script>${SCRIPT}</script></svg>`;
const XHTML = `<html xmlns="http://www.w3.org/1999/xhtml"><body><script>${SCRIPT}</script></body></html>`;
const XSLT = `<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="#s"?><x xmlns:h="http://www.w3.org/1999/xhtml"><h:script>${SCRIPT}</h:script></x>`;
const MIXED = `--a\r\nContent-Type: text/html\r\n\r\n${HTML}\r\n--a--\r\n`;

/** Name, type and bytes of uploads that try to run a script. */
const ATTACKS: readonly (readonly [name: string, type: string, bytes: string])[] = [
  ['page.html', 'text/html', HTML],
  ['page.html', 'TEXT/HTML; charset="utf-8"', HTML],
  ['drawing.svg', 'image/svg+xml', SVG],
  ['page.xhtml', 'application/xhtml+xml', XHTML],
  ['data.xml', 'text/xml', XSLT],
  ['data.xml', 'application/xml', XHTML],
  ['parts', 'multipart/x-mixed-replace; boundary=a', MIXED],
  ['mail.mht', 'message/rfc822', `Content-Type: text/html\r\n\r\n${HTML}`],
  // A browser that sniffs would find the page.
  ['a.png', 'image/png', HTML],
  ['page.html', 'image/png', HTML],
  ['a.txt', 'text/plain', HTML],
  ['a.txt', 'text/plain; charset=utf-7', HTML],
  ['a.bin', 'application/octet-stream', HTML],
  ['page.html', 'application/octet-stream', HTML],
  ['page.html', '', HTML],
  ['a.unknown', 'x/unknown', HTML],
  ['a.png', 'image/png; a="b,text/html;c"', HTML],
];

/** Types that no slot accepts; an older database may contain them. */
const OLD_TYPES = [
  'image/png;,text/html',
  'image/png, text/html',
  '*/*',
  '',
  'text/html\t;x',
  'image/png\r\nX: y',
];

interface Site {
  readonly porter: PorterProcess;
  readonly server: WebServer | undefined;
}

async function startSite(isServedByNginx: boolean): Promise<Site> {
  const folder = await createTemporaryFolder();
  const [port = 0, filesPort = 0] = await freePorts(2);
  await mkdir(join(folder, 'data/blobs'), { recursive: true });
  await chmod(folder, 0o755);
  const viaNginx = { download_url: `https://localhost:${filesPort}`, downloads: { via: 'webserver' } };
  const config = {
    public_url: `http://127.0.0.1:${port}`,
    slot_api: {},
    access: [{ jid: '.*' }],
    ...(isServedByNginx ? viaNginx : { downloads: { inline_types: ['*/*'] } }),
  };
  const porter = await startPorter({ folder, port, config });
  return { porter, server: isServedByNginx ? await startFilesServer(folder, filesPort) : undefined };
}

async function startFilesServer(folder: string, port: number): Promise<WebServer> {
  const { cert, key } = await writeCertificate(folder, ['localhost']);
  const snippet = await readFile(join(CONTRIB, 'nginx/webserver.conf'), 'utf8');
  return startNginx(
    port,
    replaceInSnippet(snippet, {
      '/etc/letsencrypt/live/files.example.org/fullchain.pem': cert,
      '/etc/letsencrypt/live/files.example.org/privkey.pem': key,
      'server_name files.example.org': 'server_name localhost',
      'listen 443 ssl;': `listen 127.0.0.1:${port} ssl;`,
      'listen [::]:443 ssl;': '',
      '/var/lib/porter/blobs': join(folder, 'data/blobs'),
    }),
  );
}

/** Uploads a file and returns its link. */
async function upload({ porter }: Site, name: string, type: string, bytes: string): Promise<string> {
  const fields = { jid: 'romeo@example.org', name, size: String(bytes.length), content_type: type };
  const slot = await httpRequest(`${porter.url}/slot/?${new URLSearchParams(fields)}`);
  assert.equal(slot.status, 200, slot.text);
  const [put = '', get = ''] = slot.text.split('\n');
  assert.equal((await httpRequest(put, { method: 'PUT', body: bytes })).status, 201);
  return get;
}

/** Serves pages as a web server without protection does; returns its address. */
async function servePages(t: TestContext, pages: Readonly<Record<string, string>>): Promise<string> {
  const server = createServer(({ url = '' }, response) =>
    response.setHeader('Content-Type', 'text/html').end(pages[url]),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Returns a page that embeds links in every way and marks itself if a script in one of them runs. */
function embeddingPage(links: readonly string[]): string {
  const report = "addEventListener('message', ({ data }) => { document.body.dataset.ran = data })";
  const embedded = links.map(
    (link) => `<iframe src="${link}"></iframe><object data="${link}"></object><embed src="${link}">`,
  );
  return `<!doctype html><script>${report}</script><body>${embedded.join('')}</body>`;
}

describe('A script in an uploaded file does not run in a browser', {
  skip: needs('chromium', 'nginx'),
}, () => {
  let browser: Chromium;
  before(async () => {
    browser = await Chromium.start();
  });
  after(() => browser?.stop());

  test('although it runs if the page comes from an unprotected server', async (t) => {
    const origin = await servePages(t, { '/page': HTML, '/around': embeddingPage(['/page']) });
    assert.ok((await browser.open(`${origin}/page`)).html.includes(`id="${RAN}"`));
    await browser.open(`${origin}/around`);
    assert.equal(await browser.evaluate('document.body.dataset.ran'), RAN);
  });

  for (const [served, isServedByNginx] of [
    ['Porter, with every type in downloads.inline_types', false],
    ['nginx, from the folder', true],
  ] as const) {
    describe(`served by ${served}`, () => {
      let site: Site;
      before(async () => {
        site = await startSite(isServedByNginx);
      });
      after(async () => {
        await site?.server?.stop();
        await site?.porter.remove();
      });

      test('whatever its name and type', async () => {
        for (const [name, type, bytes] of ATTACKS) {
          const { html, error } = await browser.open(await upload(site, name, type, bytes));
          assert.ok(!html.includes(`id="${RAN}"`), `${name} ${type}: ${html}`);
          assert.ok(html !== '' || error === 'net::ERR_ABORTED', `${name} ${type}: ${error}`);
        }
      });

      test('with a malformed type in the database of an older version', async () => {
        for (const type of OLD_TYPES) {
          const link = await upload(site, 'page.png', 'image/png', HTML);
          const ledger = new DatabaseSync(join(site.porter.folder, 'data/porter.db'));
          ledger.prepare('update uploads set type = ? where size = ?').run(type, HTML.length);
          ledger.close();
          const { html } = await browser.open(link);
          assert.ok(!html.includes(`id="${RAN}"`), `${type}: ${html}`);
        }
      });

      test('embedded into the page of another site', async (t) => {
        const links = [];
        for (const [name, type, bytes] of ATTACKS) links.push(await upload(site, name, type, bytes));
        const origin = await servePages(t, { '/around': embeddingPage(links) });
        await browser.open(`${origin}/around`);
        assert.equal(await browser.evaluate('String(document.body.dataset.ran)'), 'undefined');
      });
    });
  }

  test('and an audio link that is opened directly plays', async (t) => {
    const site = await startSite(false);
    t.after(() => site.porter.remove());
    const link = await upload(site, 'a.wav', 'audio/wav', silentWav());
    await browser.open(link);
    const loaded = `new Promise((done) => {
      const media = document.querySelector('video, audio');
      if (media === null) done('no player');
      else if (media.readyState >= 1) done('loaded');
      else { media.onloadedmetadata = () => done('loaded'); media.onerror = () => done('refused'); }
    })`;
    assert.equal(await browser.evaluate(loaded), 'loaded');
  });
});

/** Returns a WAV file of 8-bit samples whose bytes are all ASCII. */
function silentWav(): string {
  const samples = 8000;
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(36 + samples, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(8000, 24);
  header.writeUInt32LE(8000, 28);
  header.writeUInt16LE(1, 32);
  header.writeUInt16LE(8, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(samples, 40);
  return header.toString('latin1') + 'p'.repeat(samples);
}
