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
/** Any other address of the loopback is a stranger. */
const NEAR = ['127.0.0.1/32'];
export const UNTRUSTED_ADDRESS = '127.0.0.9';
export const MB = 1_000_000;

/** Where a snippet is to work. */
interface Place {
  readonly port: number;
  readonly porterPort: number;
  readonly certificate: CertificateFiles;
}

/** A web server and its snippet. */
export interface WebServerKind {
  readonly name: 'nginx' | 'apache' | 'caddy';
  /** Below `contrib/`. */
  readonly file: string;
  /** Puts in the place's port, certificate and Porter, and nothing else. */
  adaptSnippet(snippet: string, place: Place): string;
  start(port: number, snippet: string): Promise<WebServer>;
  /** A client that waits for `100 Continue` gets Porter's refusal instead of it. */
  readonly forwardsExpect: boolean;
  /** Longer than the server by itself lets a sender stand still; none where that is as long as Porter does. */
  readonly pauseMs?: number;
}

const porterAt = ({ porterPort }: Place) => ({ '127.0.0.1:5050': `127.0.0.1:${porterPort}` });

const certificateAt = ({ certificate: { cert, key } }: Place) => ({
  [`/etc/letsencrypt/live/${HOST}/fullchain.pem`]: cert,
  [`/etc/letsencrypt/live/${HOST}/privkey.pem`]: key,
});

export const nginxKind: WebServerKind = {
  name: 'nginx',
  file: 'nginx/porter.conf',
  adaptSnippet: (snippet, place) =>
    replaceInSnippet(snippet, {
      ...certificateAt(place),
      ...porterAt(place),
      '443 ssl': `${place.port} ssl`,
    }),
  start: startNginx,
  forwardsExpect: false,
};

const apache: WebServerKind = {
  name: 'apache',
  file: 'apache/porter.conf',
  adaptSnippet: (snippet, place) =>
    replaceInSnippet(snippet, { ...certificateAt(place), ...porterAt(place), '*:443': `*:${place.port}` }),
  start: startApache,
  forwardsExpect: true,
  // By itself Apache waits 20 s, and longer the more has come.
  pauseMs: 24_000,
};

const caddy: WebServerKind = {
  name: 'caddy',
  file: 'caddy/Caddyfile',
  adaptSnippet: (snippet, place) => {
    const { cert, key } = place.certificate;
    return replaceInSnippet(snippet, {
      ...porterAt(place),
      [`${HOST} {`]: `${HOST} {\n\ttls ${cert} ${key}`,
    });
  },
  start: startCaddy,
  forwardsExpect: true,
};

export const webServerKinds = [nginxKind, apache, caddy];

const settings = {
  public_url: `https://${HOST}`,
  trusted_proxies: NEAR,
  slot_api: { allow_from: NEAR },
  access: [{ jid: '.*', max_file_size: '100 MB' }],
};

/** A server with its snippet before a Porter, and what a client needs to talk to it. */
export class ProxyTestbed {
  readonly kind: WebServerKind;
  readonly porter: PorterProcess;
  readonly server: WebServer;
  /** The certificate to believe, PEM. */
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

  /** `more` goes into Porter's settings, `changes` into the snippet. */
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
      const place = { port: await freePort(), porterPort: porter.port, certificate };
      const snippet = replaceInSnippet(await readFile(join(CONTRIB, kind.file), 'utf8'), changes);
      const server = await kind.start(place.port, kind.adaptSnippet(snippet, place));
      return new ProxyTestbed(kind, porter, server, ca, folder);
    } catch (error) {
      await porter.remove();
      throw error;
    }
  }

  /** As `start`, for the time of one piece of work. */
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

  /** A link of a slot, with the port that the test's server has in place of 443. */
  urlFor(link: string): string {
    const url = new URL(link);
    url.port = String(this.server.port);
    return url.href;
  }

  request(path: string, question: HttpRequestOptions = {}): Promise<HttpResponse> {
    return httpRequest(this.urlFor(new URL(path, `https://${HOST}`).href), { ca: this.ca, ...question });
  }

  /** The two links of a slot, as an XMPP server beside Porter asks for it. */
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

  /** Bytes of all blobs, finished or not. */
  async storedBytes(): Promise<number> {
    let sum = 0;
    for await (const file of glob('data/blobs/**', { cwd: this.porter.folder })) {
      const found = await stat(join(this.porter.folder, file)).catch(() => undefined);
      if (found?.isFile()) sum += found.size;
    }
    return sum;
  }
}
