import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { admin, component, external, fileShare, metrics, slotApi } from './door-schema.ts';
import { addressRange, bool, file, integer, kind, size } from './kinds.ts';
import { messages } from './message-schema.ts';
import { oneOrMany, optional, preset, required } from './options.ts';
import { baseUrl, blobPlace, ledgerPlace, listenAddress } from './places.ts';
import { accessRule, downloads, log, retention, slots, uploads } from './rule-schema.ts';

const processes = integer({ min: 1, max: 1024 });

const workers = kind({ type: 'whole number or `auto`' }, 'a whole number from 1 to 1024, or auto', (value) =>
  value === 'auto' ? availableParallelism() : processes.safeParse(value).data,
);

const tls = z.strictObject({
  cert: required(file(), 'The certificate with its chain, PEM.'),
  key: required(file(), 'Its private key, PEM.'),
});

const storage = z.strictObject({
  blobs: preset(
    blobPlace(),
    './data/blobs',
    'Where the files are: a folder, or `s3://bucket/prefix?endpoint=…&region=…&path_style=true&create=true`, with ' +
      'keys from the standard AWS environment, profile or role (docs/s3.md).',
  ),
  ledger: preset(
    ledgerPlace(),
    './data/porter.db',
    'Where it is written who owns what: a file for SQLite, or `postgres://user@host/database?connections=10` for ' +
      'several machines (docs/postgresql.md).',
  ),
  sync: preset(
    bool(),
    true,
    '`true`: a finished upload survives a power cut. `false`: faster, and as most other servers do it.',
  ),
});

/**
 * Every option of `porter.yml`, once: type, bounds, default, words. Whatever else knows options (types, messages,
 * the reference page) is made from it. Names are those of the file, sizes bytes, periods milliseconds.
 */
export const schema = z.strictObject({
  listen: preset(
    oneOrMany(listenAddress()),
    '127.0.0.1:5050',
    'Where Porter takes HTTP: `host:port`, `"[::1]:5050"`, a port alone (every address of the machine), ' +
      '`unix:/run/porter.sock`, or a list of them. Port 0 is any that is free.',
  ),
  public_url: optional(
    baseUrl(),
    'the slot API answers with the host it was asked on',
    'How clients reach Porter, `https` in production; may have a path. The component needs it.',
  ),
  download_url: optional(baseUrl(), 'as `public_url`', 'How clients reach the files, if elsewhere.'),
  tls: optional(
    tls,
    'plain HTTP, for a web server in front that does TLS',
    'Porter does TLS itself. Read again on SIGHUP.',
  ),
  trusted_proxies: preset(
    z.array(addressRange()),
    ['127.0.0.0/8', '::1'],
    'Whose `X-Forwarded-*` headers count. Over a Unix socket they always do.',
  ),
  workers: preset(workers, 1, 'Processes that serve HTTP; `auto` is one for every core.'),
  storage: preset(storage, {}, 'Where things are kept.'),
  component: preset(
    oneOrMany(component, 0),
    [],
    'Door 1: Porter joins the XMPP server as an external component (XEP-0114) and answers slot requests itself. One, or a list.',
    'off',
  ),
  slot_api: optional(
    slotApi,
    'off',
    'Door 2: slots over HTTP, for `service_url` of ejabberd and whatever speaks to django-xmpp-http-upload.',
  ),
  external: optional(
    external,
    'off',
    "Door 3: uploads that the XMPP server has signed: Prosody's mod_http_upload_external (`v` and `v2`), ejabberd's `external_secret`, Metronome's `token`.",
  ),
  file_share: optional(
    fileShare,
    'off',
    "Door 4: uploads with a token of Prosody's mod_http_file_share (`http_file_share_base_url`).",
  ),
  access: preset(
    z.array(accessRule),
    [],
    'Who may upload how much. The first rule that matches decides; whom none matches may not upload.',
    'nobody may upload',
  ),
  global_quota: optional(size({ min: 1 }), 'no limit', 'Bytes of all users together.'),
  slots: preset(slots, {}, 'The right to upload one file.'),
  uploads: preset(uploads, {}, 'How uploads are taken.'),
  retention: preset(retention, {}, 'How long files are kept, and what goes first.'),
  downloads: preset(downloads, {}, 'How files are served.'),
  messages: optional(messages, 'off', 'Messages from HTTP to XMPP and back.'),
  admin: optional(admin, 'off', 'A web page to look and act, and its JSON API.'),
  metrics: preset(metrics, {}, 'Numbers for Prometheus.'),
  log: preset(log, {}, 'What is logged, and how.'),
});

/** All options as the server works with them, defaults filled in. */
export type Settings = z.output<typeof schema>;
