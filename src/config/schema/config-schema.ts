import { availableParallelism } from 'node:os';
import { z } from 'zod';
import {
  adminSchema,
  componentSchema,
  externalSchema,
  fileShareSchema,
  metricsSchema,
  slotApiSchema,
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

const storage = z.strictObject({
  blobs: withDefault(
    blobLocation(),
    './data/blobs',
    'Where the files are: a folder, or `s3://bucket/prefix?endpoint=…&region=…&path_style=true&create=true`, with ' +
      'keys from the standard AWS environment, profile or role (docs/s3.md).',
  ),
  ledger: withDefault(
    ledgerLocation(),
    './data/porter.db',
    'Where it is written who owns what: a file for SQLite, or `postgres://user@host/database?connections=10` for ' +
      'several machines (docs/postgresql.md).',
  ),
  sync: withDefault(
    bool(),
    true,
    '`true`: a finished upload survives a power cut. `false`: faster, and as most other servers do it.',
  ),
});

/**
 * Every option of `porter.yml`, once: type, bounds, default, words. Whatever else knows options (types, messages,
 * the reference page) is made from it. Names are those of the file, sizes bytes, periods milliseconds.
 */
export const configSchema = z.strictObject({
  listen: withDefault(
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
  trusted_proxies: withDefault(
    z.array(addressRange()),
    ['127.0.0.0/8', '::1'],
    'Whose `X-Forwarded-*` headers count. Over a Unix socket they always do.',
  ),
  workers: withDefault(workers, 1, 'Processes that serve HTTP; `auto` is one for every core.'),
  storage: withDefault(storage, {}, 'Where things are kept.'),
  component: withDefault(
    oneOrMany(componentSchema, 0),
    [],
    'Door 1: Porter joins the XMPP server as an external component (XEP-0114) and answers slot requests itself. One, or a list.',
    'off',
  ),
  slot_api: optional(
    slotApiSchema,
    'off',
    'Door 2: slots over HTTP, for `service_url` of ejabberd and whatever speaks to django-xmpp-http-upload.',
  ),
  external: optional(
    externalSchema,
    'off',
    "Door 3: uploads that the XMPP server has signed: Prosody's mod_http_upload_external (`v` and `v2`), ejabberd's `external_secret`, Metronome's `token`.",
  ),
  file_share: optional(
    fileShareSchema,
    'off',
    "Door 4: uploads with a token of Prosody's mod_http_file_share (`http_file_share_base_url`).",
  ),
  access: withDefault(
    z.array(accessRuleSchema),
    [],
    'Who may upload how much. The first rule that matches decides; whom none matches may not upload.',
    'nobody may upload',
  ),
  global_quota: optional(size({ min: 1 }), 'no limit', 'Bytes of all users together.'),
  slots: withDefault(slotsSchema, {}, 'The right to upload one file.'),
  uploads: withDefault(uploadsSchema, {}, 'How uploads are taken.'),
  retention: withDefault(retentionSchema, {}, 'How long files are kept, and what goes first.'),
  downloads: withDefault(downloadsSchema, {}, 'How files are served.'),
  messages: optional(messagesSchema, 'off', 'Messages from HTTP to XMPP and back.'),
  admin: optional(adminSchema, 'off', 'A web page to look and act, and its JSON API.'),
  metrics: withDefault(metricsSchema, {}, 'Numbers for Prometheus.'),
  log: withDefault(logSchema, {}, 'What is logged, and how.'),
});

/** All options as the server works with them, defaults filled in. */
export type ConfigOptions = z.output<typeof configSchema>;
