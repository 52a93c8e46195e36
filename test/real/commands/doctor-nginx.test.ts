import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CONTRIB } from '../../support/paths.ts';
import { createSelfSigned } from '../../support/self-signed-certificate.ts';
import { startNginx } from '../peers/nginx.ts';
import { needs } from '../peers/peers.ts';
import { replaceInSnippet, type WebServer } from '../peers/web-server.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { freePorts } from '../support/ports.ts';
import { assertFindings, runDoctor } from '../support/run-doctor.ts';

const SNIPPET = join(CONTRIB, 'nginx/porter.conf');
const LETSENCRYPT = '/etc/letsencrypt/live/upload.example.org';
const DAY = 86_400_000;

/** A mistake in the shipped snippet, and the findings that report it. */
interface Mistake {
  /** Replacements in the snippet, besides those that every test needs. */
  readonly changes?: Readonly<Record<string, string>>;
  readonly certificate?: 'good' | 'other' | 'expired' | 'ending' | 'unknown';
  /** Settings of porter.yml that differ from `SETTINGS`. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly scheme?: 'http' | 'https';
  readonly args?: readonly string[];
  /** Texts of checks that are ok. */
  readonly finds?: Readonly<Record<string, RegExp>>;
  /** All failed checks by name, with a pattern for the text that names the remedy. */
  readonly fails?: Readonly<Record<string, RegExp>>;
  readonly warns?: Readonly<Record<string, RegExp>>;
}

/** Endpoints whose links an XMPP server signs. */
const SIGNED = {
  external: { secret: 'a-secret-of-prosody' },
  file_share: { secret: 'another-secret-of-prosody' },
};

const PROXY = 'proxy_set_header Connection        "";';

const mistakes: Readonly<Record<string, Mistake>> = {
  'nothing where nothing is wrong': {
    finds: {
      'resumable uploads': /can be resumed after an interruption/,
      'interim responses':
        /treats the interim response 104 as the final answer.*does not send it through a proxy/,
    },
  },
  'methods of resumable uploads that the web server refuses': {
    changes: { 'location / {': 'if ($request_method = PATCH) { return 405; } location / {' },
    fails: {
      'resumable uploads': /A PATCH of a resumable upload was answered with 405.*must allow PUT, PATCH/,
    },
  },
  'a body limit of 1 MB': {
    changes: { 'client_max_body_size 0;': '' },
    fails: { 'body limit': /\(413\).*client_max_body_size 0/ },
  },
  'a body limit above what was tried with bytes': {
    changes: { 'client_max_body_size 0;': 'client_max_body_size 20m;' },
    fails: { 'body limit': /100 MiB \(413\)/ },
  },
  'a timeout for bodies in the wrong unit': {
    changes: { 'client_body_timeout 75s;': 'client_body_timeout 300ms;' },
    fails: { 'body timeout': /pause of 1\.5 s.*client_body_timeout 60s/ },
  },
  'request buffering': {
    changes: { 'proxy_request_buffering off;': 'proxy_request_buffering on;' },
    fails: { 'request buffering': /proxy_request_buffering off/ },
  },
  'a Content-Type that is dropped': {
    changes: { [PROXY]: `${PROXY}\nproxy_set_header Content-Type "";` },
    fails: { 'Content-Type': /removes it/ },
  },
  'a missing X-Forwarded-Proto': {
    changes: { 'proxy_set_header X-Forwarded-Proto $scheme;': '' },
    warns: {
      'X-Forwarded-Proto': /Clients use https, but Porter sees http.*X-Forwarded-Proto \$scheme/,
    },
  },
  'a missing X-Forwarded-Proto that spoils links, because public_url is not set': {
    changes: { 'proxy_set_header X-Forwarded-Proto $scheme;': '' },
    config: { public_url: undefined },
    args: ['--url', 'PUBLIC'],
    fails: { 'X-Forwarded-Proto': /Links would begin with http\./ },
  },
  'a name that is not passed on, where public_url is not set': {
    changes: {
      'proxy_set_header Host              $host;': '',
      'proxy_set_header X-Forwarded-Host  $host;': '',
    },
    config: { public_url: undefined },
    args: ['--url', 'PUBLIC'],
    fails: { Host: /Links would have 127\.0\.0\.1.*instead of localhost/ },
  },
  'a web server on another port than public_url says': {
    config: { public_url: 'https://localhost:UNUSED_PORT' },
    fails: { public_url: /Nothing listens at localhost:\d+\. Check the port/ },
  },
  'a web server that passes requests on to a wrong port': {
    changes: { 'proxy_pass http://127.0.0.1:': 'proxy_pass http://127.0.0.1:1; # ' },
    fails: { 'route to Porter (public_url)': /answers with 503: it cannot reach Porter.*proxy_pass/ },
  },
  'another program at public_url': {
    changes: { 'location / {': 'location / { return 404 "nothing here"; } location /nowhere/ {' },
    fails: { 'route to Porter (public_url)': /\(status 404\), not this Porter/ },
  },
  'a certificate for another name': {
    certificate: 'other',
    fails: { 'certificate of public_url': /not valid for localhost, only for files\.example/ },
  },
  'a certificate that ran out': {
    certificate: 'expired',
    fails: { 'certificate of public_url': /expired on/ },
  },
  'an untrusted certificate': {
    certificate: 'unknown',
    fails: { 'certificate of public_url': /self-signed/ },
  },
  'plain http where public_url says https': {
    changes: { ' ssl;': ';' },
    fails: { 'https of public_url': /answers in plain http, but public_url begins with https/ },
  },
  'https where public_url says http': {
    scheme: 'http',
    fails: { 'route to Porter (public_url)': /begins with http\. Change it to https/ },
  },
  'http that is sent on to https': {
    changes: { ' ssl;': ';', 'location / {': 'location / { return 301 https://$host$request_uri;' },
    scheme: 'http',
    fails: { 'route to Porter (public_url)': /redirects http to https/ },
  },
  'a slot API that is open to strangers, because X-Forwarded-For is missing': {
    changes: { 'proxy_set_header X-Forwarded-For   $proxy_add_x_forwarded_for;': '' },
    fails: {
      'slot API': /Everyone can use it/,
      'X-Forwarded-For': /sees 127\.0\.0\.1 as the address of all clients/,
    },
    warns: { metrics: /Everyone can read them/ },
  },
  'a query that is dropped': {
    changes: { 'location / {': 'location / { set $args "";' },
    config: SIGNED,
    fails: { query: /the signatures of links/ },
  },
  'an Authorization that is dropped': {
    changes: { [PROXY]: `${PROXY}\nproxy_set_header Authorization "";` },
    config: SIGNED,
    fails: { Authorization: /with it tokens and passwords/ },
  },
  'signed links that are not passed on': {
    changes: { 'location / {': 'location /upload/ { return 404; } location / {' },
    config: SIGNED,
    fails: { 'endpoint external': /web server must forward \/upload\/ to Porter/ },
  },
  'messages that are not passed on': {
    changes: { 'location / {': 'location /msg/ { return 404; } location / {' },
    warns: { 'messages at /msg/': /answered with 404.*must forward \/msg\/ to Porter/ },
  },
  'a certificate that is about to run out': {
    certificate: 'ending',
    warns: { 'certificate of public_url': /expires in [45] days/ },
  },
  'compressed downloads': {
    changes: { [PROXY]: `${PROXY}\ngzip on; gzip_types text/plain; gzip_proxied any;` },
    fails: {
      compression: /compresses files \(gzip\)/,
      'header etag': /arrives as W\//,
      'header accept-ranges': /does not arrive/,
      HEAD: /length none/,
    },
  },
  'ranges that are taken away': {
    changes: { [PROXY]: `${PROXY}\nproxy_set_header Range "";\nproxy_force_ranges off;` },
    fails: { Range: /200 and 1600000 bytes/ },
  },
  'safe headers that are taken away': {
    changes: { [PROXY]: `${PROXY}\nproxy_hide_header X-Content-Type-Options;` },
    fails: { 'header x-content-type-options': /browsers may run uploaded scripts/ },
  },
  'CORS that is added a second time': {
    changes: { [PROXY]: `${PROXY}\nadd_header Access-Control-Allow-Origin * always;` },
    fails: {
      'header access-control-allow-origin': /arrives as \*, \*/,
      'CORS on errors': /Access-Control-Allow-Origin \*, \*/,
    },
  },
  "an error page of the web server instead of Porter's answer": {
    changes: { [PROXY]: `${PROXY}\nproxy_intercept_errors on; error_page 404 /none;` },
    fails: { 'missing files': /answered with 404 and \d+ bytes/ },
  },
  'preflights that the web server answers itself': {
    changes: { 'location / {': 'if ($request_method = OPTIONS) { return 405; } location / {' },
    fails: { preflight: /405/ },
  },
  'a disk with less room than is asked for': {
    args: ['--min-free', '8000 TiB'],
    fails: { 'disk space for blobs': /too small/, 'disk space for the ledger': /too small/ },
  },
  'downloads from elsewhere that lead nowhere': {
    config: { download_url: 'http://localhost:UNUSED_PORT' },
    fails: {
      download: /interrupted by an error: ECONNREFUSED/,
      'missing files': /interrupted by an error/,
      removal: /interrupted by an error/,
    },
  },
};

describe('porter doctor, through a real nginx', { skip: needs('nginx'), concurrency: 4 }, () => {
  const names = Object.keys(mistakes);
  let folder = '';
  let porter: PorterProcess;
  let nginx: WebServer;
  let ports: number[] = [];
  let unusedPort = 0;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'porter-doctor-'));
    [unusedPort = 0, ...ports] = await freePorts(names.length + 1);
    porter = await startPorter({ config: SETTINGS });
    await writeCertificates(folder);
    const snippet = await readFile(SNIPPET, 'utf8');
    const servers = names.map((name, index) => serverWith(mistakes[name] ?? {}, ports[index] ?? 0, snippet));
    nginx = await startNginx(ports[0] ?? 0, servers.join('\n'));
  });
  after(async () => {
    await nginx?.stop();
    await porter?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  function serverWith(
    { changes = {}, certificate = 'good' }: Mistake,
    port: number,
    snippet: string,
  ): string {
    const fitted = replaceInSnippet(snippet, {
      '127.0.0.1:5050': `127.0.0.1:${porter.port}`,
      [`${LETSENCRYPT}/fullchain.pem`]: join(folder, `${certificate}.crt`),
      [`${LETSENCRYPT}/privkey.pem`]: join(folder, `${certificate}.key`),
      'server_name upload.example.org;': 'server_name localhost;',
      'listen 443 ssl;': `listen 127.0.0.1:${port} ssl;`,
      'listen [::]:443 ssl;': '',
      '$host;': '$http_host;',
    });
    const adapted = Object.entries(changes).map(([from, to]) => [from.replace('$host;', '$http_host;'), to]);
    return replaceInSnippet(fitted, Object.fromEntries(adapted) as Record<string, string>);
  }

  async function consultOn(name: string, mistake: Mistake) {
    const index = names.indexOf(name);
    const url = `${mistake.scheme ?? 'https'}://localhost:${ports[index]}`;
    const config = JSON.stringify({
      listen: `127.0.0.1:${porter.port}`,
      ...SETTINGS,
      public_url: url,
      ...mistake.config,
    });
    const file = join(porter.folder, `doctor-${index}.yml`);
    await writeFile(file, config.replaceAll('UNUSED_PORT', String(unusedPort)));
    const args = (mistake.args ?? []).map((arg) => arg.replace('PUBLIC', url));
    return runDoctor(file, args, { NODE_EXTRA_CA_CERTS: join(folder, 'trusted.crt') });
  }

  for (const [name, mistake] of Object.entries(mistakes)) {
    test(`reports ${name}`, async () => {
      const diagnosis = await consultOn(name, mistake);
      assertFindings(diagnosis, 'fail', mistake.fails ?? {});
      assertFindings(diagnosis, 'warn', { ...NO_XMPP_SERVER, ...mistake.warns });
      for (const [check, text] of Object.entries(mistake.finds ?? {}))
        assert.match(
          diagnosis.findings.find((one) => one.check === check)?.text ?? '',
          text,
          diagnosis.output,
        );
      assert.equal(diagnosis.code, mistake.fails === undefined ? 0 : 1, diagnosis.output);
    });
  }
});

/** The config names accounts, but no XMPP server runs. */
const NO_XMPP_SERVER = { 'certificate of the XMPP server (localhost)': /set messages\.server/ };

const SETTINGS = {
  ...SIGNED,
  slot_api: {},
  access: [{ jid: '.*', max_file_size: '100 MiB' }],
  messages: { accounts: '@localhost$' },
};

async function writeCertificates(folder: string): Promise<void> {
  const certificates = {
    good: createSelfSigned(['localhost']),
    other: createSelfSigned(['files.example']),
    // The first name is the issuer, by which the certificate is trusted.
    expired: createSelfSigned(['expired.example', 'localhost'], Date.now() - DAY),
    ending: createSelfSigned(['ending.example', 'localhost'], Date.now() + 5 * DAY),
    unknown: createSelfSigned(['unknown.example', 'localhost']),
  };
  const trusted = ['good', 'other', 'expired', 'ending'] as const;
  for (const [name, { cert, key }] of Object.entries(certificates)) {
    await writeFile(join(folder, `${name}.crt`), cert);
    await writeFile(join(folder, `${name}.key`), key);
  }
  await writeFile(join(folder, 'trusted.crt'), trusted.map((name) => certificates[name].cert).join(''));
}
