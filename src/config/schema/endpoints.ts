import * as z from 'zod';
import { baseUrl, contactUri, serverAddress, urlPath } from './location-types.ts';
import { oneOrMany, optional, required, withDefault } from './options.ts';
import {
  accountJid,
  addressRange,
  bool,
  domainJid,
  integer,
  nonEmptyText,
  oneOf,
  secret,
  size,
} from './value-types.ts';

/** The loopback addresses, for programs on this machine such as a reverse proxy. */
export const LOOPBACK_RANGES = ['127.0.0.0/8', '::1'];

export const componentSchema = z.strictObject({
  jid: required(
    domainJid(),
    'The JID of the component: a separate domain, as configured in the XMPP server.',
  ),
  secret: required(secret(), 'The secret of this component in the XMPP server.'),
  server: withDefault(
    serverAddress(5347),
    '127.0.0.1:5347',
    'The address at which the XMPP server accepts components. XEP-0114 is not encrypted, so use the same machine or a tunnel.',
  ),
  name: withDefault(nonEmptyText(), 'HTTP File Upload', 'The name of the service that clients show.'),
  public_url: optional(
    baseUrl(),
    'as the top-level `public_url`',
    'The URL of the links of this component, so that each hosted domain has links on its own name (docs/hosting.md).',
  ),
  download_url: optional(
    baseUrl(),
    'as its `public_url`, else as the top-level `download_url`',
    'The URL at which files of this component are fetched, if it differs.',
  ),
  domains: optional(
    oneOrMany(domainJid()),
    'the JID without its first label: `example.org` for `upload.example.org`',
    'The domains of the users that this component serves. `{domain}` in `access` stands for those of all components.',
  ),
});

export const slotApiSchema = z.strictObject({
  path: withDefault(urlPath(), '/slot/', 'The path for slot requests.'),
  allow_from: withDefault(
    z.array(addressRange()).min(1, 'the list is empty; leave the section out instead'),
    LOOPBACK_RANGES,
    'The addresses that may request slots. To rely on the token alone: `[0.0.0.0/0, "::/0"]`.',
  ),
  token: optional(
    secret(),
    'no token is required',
    'The token that a request must have: as `Authorization: Bearer …`, or as the last part of the path (`/slot/TOKEN/`), for ejabberd.',
  ),
  names: withDefault(
    oneOf(['ascii', 'utf8']),
    'ascii',
    'The file name at the end of links. `ascii`: letters, digits and `_.-`, because ejabberd up to 25.07 encodes links a second ' +
      'time. `utf8`: the real name, percent-encoded. Links of the component always have the real name.',
  ),
});

export const externalSchema = z.strictObject({
  path: withDefault(urlPath(), '/upload/', 'The path at the end of the base URL in the XMPP server.'),
  secret: required(
    oneOrMany(secret()),
    'The secret with which the XMPP server signs links. If it is a list, all are accepted, so that the secret can be changed without downtime.',
  ),
  delete_secret: optional(
    secret(),
    'files cannot be deleted by signed requests',
    "The secret of Metronome's signed `DELETE`.",
  ),
  max_file_size: withDefault(
    size({ min: 1 }),
    '100 MiB',
    'The largest file, even if the XMPP server has signed a larger one.',
  ),
  max_total_size: optional(
    size({ min: 1 }),
    'no limit',
    'Total bytes of a user whose links contain only a hash (ejabberd) and whose JID Porter does not know. For all others the limits of `access` apply. Links of Prosody and Metronome contain no user.',
  ),
  max_files: optional(
    integer({ min: 1 }),
    'no limit',
    'Files of a user to which `max_total_size` of this section applies.',
  ),
});

export const fileShareSchema = z.strictObject({
  path: withDefault(urlPath(), '/file_share/', 'The path at the end of `http_file_share_base_url`.'),
  secret: required(
    oneOrMany(secret()),
    'The same as `http_file_share_secret`. If it is a list, all are accepted, so that the secret can be changed without downtime.',
  ),
});

export const webSchema = z.strictObject({
  path: withDefault(urlPath(), '/web/', 'The path of the page.'),
  admins: withDefault(z.array(accountJid()), [], 'Accounts that may see and do everything.'),
  moderators: withDefault(
    z.array(accountJid()),
    [],
    'Accounts that may see the files of all users and remove them, and nothing else.',
  ),
  contact: withDefault(
    oneOrMany(contactUri(), 0),
    [],
    'One or more URIs at which users report abuse: `xmpp:`, `mailto:` or `https:`. Clients find them at the component (XEP-0157), ' +
      'browsers on the page and in `/.well-known/security.txt`.',
  ),
  sign_in: withDefault(
    oneOrMany(oneOf(['password', 'link'])),
    ['password', 'link'],
    'How users sign in to the page. `password`: the XMPP password, checked by a login at the server of the account. `link`: a ' +
      'one-time link that Porter sends to the account as a message; needs a `component`. `messages.accounts` decides who may sign in.',
  ),
  token: optional(
    secret(),
    'none',
    'A bearer token with all rights of an admin, for scripts (`Authorization: Bearer …`).',
  ),
  title: withDefault(nonEmptyText(), 'Files', 'The title of the page.'),
  guest_links: withDefault(
    bool(),
    true,
    'Users may create links by which persons without an account send them files.',
  ),
});

export const metricsSchema = z.strictObject({
  path: withDefault(urlPath({ bare: true }), '/metrics', 'The path of the metrics.'),
  allow_from: withDefault(
    z.array(addressRange()),
    LOOPBACK_RANGES,
    'The addresses that may read the metrics. If the list is empty, none may.',
  ),
});
