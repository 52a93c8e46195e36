import { availableParallelism } from 'node:os';
import * as z from 'zod';
import {
  componentSchema,
  externalSchema,
  fileShareSchema,
  metricsSchema,
  slotApiSchema,
  webSchema,
} from './endpoints.ts';
import { baseUrl, blobLocation, ledgerLocation, listenAddress } from './location-types.ts';
import { messagesSchema } from './messages.ts';
import { oneOrMany, optional, required, withDefault } from './options.ts';
import {
  accessRuleSchema,
  downloadsSchema,
  logSchema,
  retentionSchema,
  slotsSchema,
  uploadsSchema,
} from './uploads.ts';
import { addressRange, bool, filePath, integer, size, valueType } from './value-types.ts';

const processes = integer({ min: 1, max: 1024 });

const workers = valueType(
  { type: 'whole number or `auto`' },
  'a whole number from 1 to 1024, or auto',
  (value) => (value === 'auto' ? availableParallelism() : processes.safeParse(value).data),
);

const tls = z.strictObject({
  cert: required(filePath(), 'The certificate with its chain, PEM.'),
  key: required(filePath(), 'Its private key, PEM.'),
});

const connections = z.strictObject({
  max: optional(
    integer({ min: 1 }),
    'half of the file descriptors that are left for connections (`ulimit -n`), at most 16384',
    'Connections at the same time. Above this number, the connection that is idle for the longest time is closed.',
  ),
  max_per_client: optional(
    integer({ min: 1 }),
    'a quarter of `max`, at least 8',
    'Connections of one client address, or of one /64 network of IPv6. Unix sockets and `trusted_proxies` have no such limit; requests in progress that they forward count for the client that they name.',
  ),
});

const storage = z.strictObject({
  blobs: withDefault(
    blobLocation(),
    './data/blobs',
    'The location of the files: a folder, or `s3://bucket/prefix?endpoint=…&region=…&path_style=true&create=true`, with ' +
      'keys from the standard AWS environment, profile or role (docs/s3.md).',
  ),
  ledger: withDefault(
    ledgerLocation(),
    './data/porter.db',
    'The metadata database (owners, uploads, quotas, messages): a file for SQLite, or `postgres://user@host/database?connections=10` for ' +
      'several machines (docs/postgresql.md).',
  ),
  sync: withDefault(
    bool(),
    true,
    '`true`: a finished upload survives a power failure. `false` is faster; most other upload services work like this.',
  ),
  reserve: optional(
    size(),
    '256 MiB, but at most 2 % of the disk',
    'Free space that Porter keeps on the disks of the files and of an SQLite ledger. Below it, new slots and ' +
      'uploads get 507; downloads and removals work. 0 = off.',
  ),
});

/**
 * All options of `porter.yml`: type, bounds, default and description. The types, the error messages and the reference page come
 * from it. After parsing, sizes are bytes and periods milliseconds.
 */
export const configSchema = z.strictObject({
  listen: withDefault(
    oneOrMany(listenAddress()),
    '127.0.0.1:5050',
    'The addresses for HTTP: `host:port`, `"[::1]:5050"`, a port alone (every address of the machine), ' +
      '`unix:/run/porter/porter.sock`, or a list of them. Port 0 is any free port.',
  ),
  public_url: optional(
    baseUrl(),
    'the slot API uses the host of the request',
    'The URL at which clients reach Porter, `https` in production; may have a path. Required for a `component` without one.',
  ),
  download_url: optional(
    baseUrl(),
    'as `public_url`',
    'The URL at which clients fetch files, if it differs.',
  ),
  tls: optional(
    tls,
    'plain HTTP, for a reverse proxy that terminates TLS',
    'Makes Porter terminate TLS itself. The files are read again on SIGHUP.',
  ),
  trusted_proxies: withDefault(
    z.array(addressRange()),
    ['127.0.0.0/8', '::1'],
    'Proxies whose `X-Forwarded-*` headers are trusted. In requests over a Unix socket they are always trusted.',
  ),
  connections: withDefault(connections, {}, 'Limits of HTTP connections, for each process.'),
  workers: withDefault(workers, 1, 'Processes that serve HTTP; `auto` is one per CPU core.'),
  storage: withDefault(storage, {}, 'Files and metadata.'),
  component: withDefault(
    oneOrMany(componentSchema, 0),
    [],
    'Porter joins the XMPP server as an external component (XEP-0114) and answers slot requests itself. One, or a list.',
    'off',
  ),
  slot_api: optional(
    slotApiSchema,
    'off',
    'Slots over HTTP, for `service_url` of ejabberd and clients of django-xmpp-http-upload.',
  ),
  external: optional(
    externalSchema,
    'off',
    "Uploads to links that the XMPP server has signed: Prosody's mod_http_upload_external (`v` and `v2`), ejabberd's `external_secret`, Metronome's `token`.",
  ),
  file_share: optional(
    fileShareSchema,
    'off',
    "Uploads with a token of Prosody's mod_http_file_share (`http_file_share_base_url`).",
  ),
  access: withDefault(
    z.array(accessRuleSchema),
    [],
    'Upload permissions and limits. The first rule that matches decides. A user that no rule matches may not upload.',
    'all uploads are denied',
  ),
  global_quota: optional(size({ min: 1 }), 'no limit', 'Bytes of all users in total.'),
  slots: withDefault(slotsSchema, {}, 'The right to upload one file.'),
  uploads: withDefault(uploadsSchema, {}, 'How uploads are received.'),
  retention: withDefault(retentionSchema, {}, 'How long files are kept.'),
  downloads: withDefault(downloadsSchema, {}, 'How files are served.'),
  thumbnails: withDefault(
    bool(),
    false,
    'Small versions of pictures: `?thumb=320` on download links, in the lists of the web page and in messages. Needs the optional ' +
      'package `sharp` (docs/thumbnails.md).',
  ),
  messages: optional(messagesSchema, 'off', 'Messages from HTTP to XMPP and back.'),
  web: optional(
    webSchema,
    'off',
    'The web page and its API, and the accounts that administer Porter from a browser or an XMPP client.',
  ),
  metrics: withDefault(metricsSchema, {}, 'Metrics for Prometheus.'),
  log: withDefault(logSchema, {}, 'The log.'),
});

/** All options with defaults filled in. */
export type ConfigOptions = z.output<typeof configSchema>;
