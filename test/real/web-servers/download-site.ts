import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { httpRequest } from '../../support/http.ts';
import { CONTRIB } from '../../support/paths.ts';
import { type CertificateFiles, writeCertificate } from '../../support/self-signed-certificate.ts';
import { startApache } from '../peers/apache.ts';
import { startLighttpd } from '../peers/lighttpd.ts';
import { startNginx } from '../peers/nginx.ts';
import type { PeerName } from '../peers/peers.ts';
import { replaceInSnippet, type WebServer } from '../peers/web-server.ts';
import { createTemporaryFolder, type PorterProcess, startPorter } from '../support/porter-process.ts';
import { freePorts } from '../support/ports.ts';

export const HOST = 'localhost';
/** More bytes than all buffers between a stopped Porter and a client hold. */
export const LARGE = 60_000_000;

export interface Ports {
  readonly port: number;
  /** A second port, for downloads under another host name. */
  readonly filesPort: number;
  readonly porterPort: number;
  readonly blobs: string;
  readonly certificate: CertificateFiles;
}

export interface Mode {
  readonly name: string;
  readonly peers: readonly PeerName[];
  settings(place: Ports): Record<string, unknown>;
  start(place: Ports): Promise<WebServer>;
  /** Whether Porter decides about each download; otherwise the web server serves the folder directly. */
  readonly asksPorter: boolean;
}

export const snippet = (file: string) => readFile(join(CONTRIB, file), 'utf8');
export const letsEncrypt = (host: string, { certificate: { cert, key } }: Ports) => ({
  [`/etc/letsencrypt/live/${host}/fullchain.pem`]: cert,
  [`/etc/letsencrypt/live/${host}/privkey.pem`]: key,
});
export const BLOBS = '/var/lib/porter/blobs';

export async function nginxFront(place: Ports, more = ''): Promise<string> {
  const front = replaceInSnippet(await snippet('nginx/porter.conf'), {
    ...letsEncrypt('upload.example.org', place),
    'server_name upload.example.org': `server_name ${HOST}`,
    '127.0.0.1:5050': `127.0.0.1:${place.porterPort}`,
    'listen 443 ssl;': `listen 127.0.0.1:${place.port} ssl;`,
    'listen [::]:443 ssl;': '',
  });
  const end = front.lastIndexOf('}');
  return `${front.slice(0, end)}${more}${front.slice(end)}`;
}

export const accelRedirect: Mode = {
  name: 'x-accel-redirect by nginx',
  peers: ['nginx'],
  settings: () => ({ downloads: { via: 'x-accel-redirect' } }),
  async start(place) {
    const inner = replaceInSnippet(await snippet('nginx/x-accel-redirect.conf'), { [BLOBS]: place.blobs });
    return startNginx(place.port, await nginxFront(place, inner));
  },
  asksPorter: true,
};

export const apacheSendfile: Mode = {
  name: 'x-sendfile by Apache',
  peers: ['apache', 'xsendfile'],
  settings: () => ({ downloads: { via: 'x-sendfile' } }),
  async start(place) {
    const front = replaceInSnippet(await snippet('apache/porter.conf'), {
      ...letsEncrypt('upload.example.org', place),
      'ServerName upload.example.org': `ServerName ${HOST}`,
      '127.0.0.1:5050': `127.0.0.1:${place.porterPort}`,
      '*:443': `*:${place.port}`,
    });
    const inner = replaceInSnippet(await snippet('apache/x-sendfile.conf'), { [BLOBS]: place.blobs });
    const module = 'LoadModule xsendfile_module /usr/lib/apache2/modules/mod_xsendfile.so';
    return startApache(
      place.port,
      `${module}\n${front.replace('</VirtualHost>', `${inner}\n</VirtualHost>`)}`,
    );
  },
  asksPorter: true,
};

export const lighttpdSendfile: Mode = {
  name: 'x-sendfile by lighttpd',
  peers: ['lighttpd'],
  settings: () => ({ downloads: { via: 'x-sendfile' } }),
  async start(place) {
    const front = replaceInSnippet(await snippet('lighttpd/porter.conf'), {
      ...letsEncrypt('upload.example.org', place),
      [`"${BLOBS}"`]: `"${place.blobs}"`,
      '=> 5050': `=> ${place.porterPort}`,
      '":443"': `"127.0.0.1:${place.port}"`,
    });
    return startLighttpd(place.port, front);
  },
  asksPorter: true,
};

export const webserver: Mode = {
  name: 'webserver, by nginx alone',
  peers: ['nginx'],
  settings: ({ filesPort }) => ({
    download_url: `https://${HOST}:${filesPort}`,
    downloads: { via: 'webserver' },
  }),
  async start(place) {
    const files = replaceInSnippet(await snippet('nginx/webserver.conf'), {
      ...letsEncrypt('files.example.org', place),
      'server_name files.example.org': `server_name ${HOST}`,
      'listen 443 ssl;': `listen 127.0.0.1:${place.filesPort} ssl;`,
      'listen [::]:443 ssl;': '',
      [BLOBS]: place.blobs,
    });
    return startNginx(place.port, (await nginxFront(place)) + files);
  },
  asksPorter: false,
};

/** Porter behind a web server. */
export class Site {
  readonly porter: PorterProcess;
  readonly ca: string;
  readonly place: Ports;
  private readonly server: WebServer;

  private constructor(porter: PorterProcess, server: WebServer, place: Ports, ca: string) {
    this.porter = porter;
    this.server = server;
    this.place = place;
    this.ca = ca;
  }

  static async start(mode: Mode): Promise<Site> {
    const folder = await createTemporaryFolder();
    const [port = 0, filesPort = 0, porterPort = 0] = await freePorts(3);
    const blobs = join(folder, 'data/blobs');
    const certificate = await writeCertificate(folder, [HOST]);
    const place = { port, filesPort, porterPort, blobs, certificate };
    // Web servers read the folder under another user id.
    await mkdir(blobs, { recursive: true });
    await chmod(folder, 0o755);
    const config = {
      public_url: `https://${HOST}:${port}`,
      slot_api: {},
      access: [{ jid: '.*', max_file_size: '100 MB' }],
      ...mode.settings(place),
    };
    const porter = await startPorter({ folder, port: porterPort, config });
    try {
      const ca = await readFile(certificate.cert, 'utf8');
      return new Site(porter, await mode.start(place), place, ca);
    } catch (error) {
      await porter.remove();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.server.stop();
    await this.porter.remove();
    await rm(this.porter.folder, { recursive: true, force: true });
  }

  ask(url: string, headers: Record<string, string> = {}, method = 'GET') {
    return httpRequest(url, { ca: this.ca, headers, method });
  }

  /** Uploads a file and returns its download link. */
  async upload(body: Buffer, name: string, type: string): Promise<string> {
    const query = new URLSearchParams({
      jid: 'romeo@example.org',
      name,
      size: String(body.length),
      content_type: type,
    });
    const slot = await httpRequest(`${this.porter.url}/slot/?${query}`);
    assert.equal(slot.status, 200, slot.text);
    const [put = '', get = ''] = slot.text.split('\n');
    const stored = await httpRequest(put, { ca: this.ca, method: 'PUT', body });
    assert.equal(stored.status, 201, stored.text);
    return get;
  }
}
