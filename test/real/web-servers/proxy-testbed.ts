import assert from 'node:assert/strict';
import { glob, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HttpRequestOptions, type HttpResponse, httpRequest, openRequest } from '../../support/http.ts';
import { CONTRIB } from '../../support/paths.ts';
import { type CertificateFiles, writeCertificate } from '../../support/self-signed-certificate.ts';
import { startApache } from '../peers/apache.ts';
import { startCaddy } from '../peers/caddy.ts';
import { startNginx } from '../peers/nginx.ts';
import { replaceInSnippet, type WebServer } from '../peers/web-server.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';

export const HOST = 'upload.example.org';
/** The trusted address; the other addresses of 127.0.0.0/8 are untrusted. */
const TRUSTED = ['127.0.0.1/32'];
export const UNTRUSTED_ADDRESS = '127.0.0.9';
export const MB = 1_000_000;

/** The values that a test puts into a snippet. */
interface SnippetValues {
  readonly port: number;
  readonly porterPort: number;
  readonly certificate: CertificateFiles;
}

/** A web server and its snippet. */
export interface WebServerKind {
  readonly name: 'nginx' | 'apache' | 'caddy';
  /** Below `contrib/`. */
  readonly file: string;
  /** Replaces only the port, the certificate and the address of Porter. */
  adaptSnippet(snippet: string, values: SnippetValues): string;
  start(port: number, snippet: string): Promise<WebServer>;
  /** Whether a client that waits for `100 Continue` gets Porter's refusal instead. */
  readonly forwardsExpect: boolean;
  /** The server closes the connection half a second after an early answer, also if the client has not read it yet. */
  readonly closesSoon?: boolean;
  /** A pause longer than the server's default body timeout; undefined if that is at least as long as Porter's. */
  readonly pauseMs?: number;
}

const porterAt = ({ porterPort }: SnippetValues) => ({ '127.0.0.1:5050': `127.0.0.1:${porterPort}` });

const certificateAt = ({ certificate: { cert, key } }: SnippetValues) => ({
  [`/etc/letsencrypt/live/${HOST}/fullchain.pem`]: cert,
  [`/etc/letsencrypt/live/${HOST}/privkey.pem`]: key,
});

export const nginxKind: WebServerKind = {
  name: 'nginx',
  file: 'nginx/porter.conf',
  adaptSnippet: (snippet, values) =>
    replaceInSnippet(snippet, {
      ...certificateAt(values),
      ...porterAt(values),
      '443 ssl': `${values.port} ssl`,
    }),
  start: startNginx,
  forwardsExpect: false,
};

const apache: WebServerKind = {
  name: 'apache',
  file: 'apache/porter.conf',
  adaptSnippet: (snippet, values) =>
    replaceInSnippet(snippet, { ...certificateAt(values), ...porterAt(values), '*:443': `*:${values.port}` }),
  start: startApache,
  forwardsExpect: true,
  // Apache waits 20 s by default, and longer the more bytes have arrived.
  pauseMs: 24_000,
};

const caddy: WebServerKind = {
  name: 'caddy',
  file: 'caddy/Caddyfile',
  adaptSnippet: (snippet, values) => {
    const { cert, key } = values.certificate;
    return replaceInSnippet(snippet, {
      ...porterAt(values),
      [`${HOST} {`]: `${HOST} {\n\ttls ${cert} ${key}`,
    });
  },
  start: startCaddy,
  forwardsExpect: true,
  closesSoon: true,
};

export const webServerKinds = [nginxKind, apache, caddy];

const settings = {
  public_url: `https://${HOST}`,
  trusted_proxies: TRUSTED,
  slot_api: { allow_from: TRUSTED },
  access: [{ jid: '.*', max_file_size: '100 MB' }],
};

/** A web server that runs with its snippet in front of Porter, and an HTTP client for it. */
export class ProxyTestbed {
  readonly kind: WebServerKind;
  readonly porter: PorterProcess;
  readonly server: WebServer;
  /** The trusted certificate, PEM. */
  readonly ca: string;
  private readonly folder: string;

  private constructor(
    kind: WebServerKind,
    porter: PorterProcess,
    server: WebServer,
    ca: string,
    folder: string,
  ) {
    this.kind = kind;
    this.porter = porter;
    this.server = server;
    this.ca = ca;
    this.folder = folder;
  }

  /** `more` is merged into Porter's settings; `changes` are replacements in the snippet. */
  static async start(
    kind: WebServerKind,
    more: Record<string, unknown> = {},
    changes: Record<string, string> = {},
  ) {
    const folder = await mkdtemp(join(tmpdir(), 'porter-front-'));
    const certificate = await writeCertificate(folder, [HOST]);
    const ca = await readFile(certificate.cert, 'utf8');
    const porter = await startPorter({ config: { ...settings, ...more } });
    try {
      const values = { port: await freePort(), porterPort: porter.port, certificate };
      const snippet = replaceInSnippet(await readFile(join(CONTRIB, kind.file), 'utf8'), changes);
      const server = await kind.start(values.port, kind.adaptSnippet(snippet, values));
      return new ProxyTestbed(kind, porter, server, ca, folder);
    } catch (error) {
      await porter.remove();
      throw error;
    }
  }

  /** Like `start`, and stops after `work`. */
  static async run(
    kind: WebServerKind,
    work: (front: ProxyTestbed) => Promise<void>,
    more?: Record<string, unknown>,
    changes?: Record<string, string>,
  ): Promise<void> {
    const front = await ProxyTestbed.start(kind, more, changes);
    try {
      await work(front);
    } finally {
      await front.stop();
    }
  }

  async stop(): Promise<void> {
    await this.server.stop();
    await this.porter.remove();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Returns a link with the port of the test server instead of 443. */
  urlFor(link: string): string {
    const url = new URL(link);
    url.port = String(this.server.port);
    return url.href;
  }

  request(path: string, question: HttpRequestOptions = {}): Promise<HttpResponse> {
    return httpRequest(this.urlFor(new URL(path, `https://${HOST}`).href), { ca: this.ca, ...question });
  }

  /** Requests a slot from the slot API, as an XMPP server does. */
  async slot(size: number, name = 'picture.jpg', type = 'image/jpeg'): Promise<{ put: string; get: string }> {
    const query = new URLSearchParams({
      jid: 'romeo@example.org',
      name,
      size: String(size),
      content_type: type,
    });
    const { status, text } = await httpRequest(`${this.porter.url}/slot/?${query}`);
    assert.equal(status, 200, text);
    const [put = '', get = ''] = text.split('\n');
    return { put, get };
  }

  async upload(body: Buffer): Promise<string> {
    const { put, get } = await this.slot(body.length);
    const answer = await this.request(put, { method: 'PUT', body });
    assert.equal(answer.status, 201, answer.text);
    return get;
  }

  /** Opens the PUT of a slot; the caller writes the body. */
  openPut(link: string, headers: Record<string, string | number>) {
    return openRequest(this.urlFor(link), { method: 'PUT', ca: this.ca, headers });
  }

  /** The size of all blobs, complete or not, in bytes. */
  async storedBytes(): Promise<number> {
    let sum = 0;
    for await (const file of glob('data/blobs/**', { cwd: this.porter.folder })) {
      const found = await stat(join(this.porter.folder, file)).catch(() => undefined);
      if (found?.isFile()) sum += found.size;
    }
    return sum;
  }
}
