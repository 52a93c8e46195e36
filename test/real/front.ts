import assert from 'node:assert/strict';
import { glob, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApache } from './apache.ts';
import { type Answer, ask, open, type Question } from './ask.ts';
import { startCaddy } from './caddy.ts';
import { type Certificate, makeCertificate } from './certificate.ts';
import { startNginx } from './nginx.ts';
import { type RunningPorter, startPorter } from './porter.ts';
import { freePort } from './ports.ts';
import { adapt, type WebServer } from './web-server.ts';

const CONTRIB = join(import.meta.dirname, '../../contrib');
export const HOST = 'upload.example.org';
/** Any other address of the loopback is a stranger. */
const NEAR = ['127.0.0.1/32'];
export const STRANGER = '127.0.0.9';
export const MB = 1_000_000;

/** Where a snippet is to work. */
interface Place {
  readonly port: number;
  readonly porterPort: number;
  readonly certificate: Certificate;
}

/** A web server and its snippet. */
export interface Kind {
  readonly name: 'nginx' | 'apache' | 'caddy';
  /** Below `contrib/`. */
  readonly file: string;
  /** Puts in the place's port, certificate and Porter, and nothing else. */
  fit(snippet: string, place: Place): string;
  start(port: number, snippet: string): Promise<WebServer>;
  /** A client that waits for `100 Continue` gets Porter's refusal instead of it. */
  readonly passesExpect: boolean;
  /** Longer than the server by itself lets a sender stand still; none where that is as long as Porter does. */
  readonly pauseMs?: number;
}

const porterAt = ({ porterPort }: Place) => ({ '127.0.0.1:5050': `127.0.0.1:${porterPort}` });

const certificateAt = ({ certificate: { cert, key } }: Place) => ({
  [`/etc/letsencrypt/live/${HOST}/fullchain.pem`]: cert,
  [`/etc/letsencrypt/live/${HOST}/privkey.pem`]: key,
});

export const nginx: Kind = {
  name: 'nginx',
  file: 'nginx/porter.conf',
  fit: (snippet, place) =>
    adapt(snippet, { ...certificateAt(place), ...porterAt(place), '443 ssl': `${place.port} ssl` }),
  start: startNginx,
  passesExpect: false,
};

const apache: Kind = {
  name: 'apache',
  file: 'apache/porter.conf',
  fit: (snippet, place) =>
    adapt(snippet, { ...certificateAt(place), ...porterAt(place), '*:443': `*:${place.port}` }),
  start: startApache,
  passesExpect: true,
  // By itself Apache waits 20 s, and longer the more has come.
  pauseMs: 24_000,
};

const caddy: Kind = {
  name: 'caddy',
  file: 'caddy/Caddyfile',
  fit: (snippet, place) => {
    const { cert, key } = place.certificate;
    return adapt(snippet, { ...porterAt(place), [`${HOST} {`]: `${HOST} {\n\ttls ${cert} ${key}` });
  },
  start: startCaddy,
  passesExpect: true,
};

export const kinds = [nginx, apache, caddy];

const settings = {
  public_url: `https://${HOST}`,
  trusted_proxies: NEAR,
  slot_api: { allow_from: NEAR },
  access: [{ jid: '.*', max_file_size: '100 MB' }],
};

/** A server with its snippet before a Porter, and what a client needs to talk to it. */
export class Front {
  readonly kind: Kind;
  readonly porter: RunningPorter;
  readonly server: WebServer;
  /** The certificate to believe, PEM. */
  readonly ca: string;
  private readonly folder: string;

  private constructor(kind: Kind, porter: RunningPorter, server: WebServer, ca: string, folder: string) {
    this.kind = kind;
    this.porter = porter;
    this.server = server;
    this.ca = ca;
    this.folder = folder;
  }

  /** `more` goes into Porter's settings, `changes` into the snippet. */
  static async start(kind: Kind, more: Record<string, unknown> = {}, changes: Record<string, string> = {}) {
    const folder = await mkdtemp(join(tmpdir(), 'porter-front-'));
    const certificate = await makeCertificate(folder, [HOST]);
    const ca = await readFile(certificate.cert, 'utf8');
    const porter = await startPorter({ config: { ...settings, ...more } });
    try {
      const place = { port: await freePort(), porterPort: porter.port, certificate };
      const snippet = adapt(await readFile(join(CONTRIB, kind.file), 'utf8'), changes);
      const server = await kind.start(place.port, kind.fit(snippet, place));
      return new Front(kind, porter, server, ca, folder);
    } catch (error) {
      await porter.remove();
      throw error;
    }
  }

  /** As `start`, for the time of one piece of work. */
  static async during(
    kind: Kind,
    work: (front: Front) => Promise<void>,
    more?: Record<string, unknown>,
    changes?: Record<string, string>,
  ): Promise<void> {
    const front = await Front.start(kind, more, changes);
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
  at(link: string): string {
    const url = new URL(link);
    url.port = String(this.server.port);
    return url.href;
  }

  ask(path: string, question: Question = {}): Promise<Answer> {
    return ask(this.at(new URL(path, `https://${HOST}`).href), { ca: this.ca, ...question });
  }

  /** The two links of a slot, as an XMPP server beside Porter asks for it. */
  async slot(size: number, name = 'picture.jpg', type = 'image/jpeg'): Promise<{ put: string; get: string }> {
    const query = new URLSearchParams({
      jid: 'romeo@example.org',
      name,
      size: String(size),
      content_type: type,
    });
    const { status, text } = await ask(`${this.porter.url}/slot/?${query}`);
    assert.equal(status, 200, text);
    const [put = '', get = ''] = text.split('\n');
    return { put, get };
  }

  async upload(body: Buffer): Promise<string> {
    const { put, get } = await this.slot(body.length);
    const answer = await this.ask(put, { method: 'PUT', body });
    assert.equal(answer.status, 201, answer.text);
    return get;
  }

  /** Opens the PUT of a slot; the caller writes the body. */
  openPut(link: string, headers: Record<string, string | number>) {
    return open(this.at(link), { method: 'PUT', ca: this.ca, headers });
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
