import { z } from 'zod';
import { serverAddress, urlPath } from './location-types.ts';
import { oneOrMany, optional, required, withDefault } from './options.ts';
import { addressRange, domainJid, jid, nonEmptyText, secret, size } from './value-types.ts';

/** Loopback: the machine itself and a web server beside it. */
export const LOOPBACK_RANGES = ['127.0.0.0/8', '::1'];

export const componentSchema = z.strictObject({
  jid: required(domainJid(), 'The JID of the component: a domain of its own, as the XMPP server names it.'),
  secret: required(secret(), 'The secret that the XMPP server has for this component.'),
  server: withDefault(
    serverAddress(5347),
    '127.0.0.1:5347',
    'Where the XMPP server takes components. Keep it on the same machine or inside a tunnel: XEP-0114 is not encrypted.',
  ),
  name: withDefault(nonEmptyText(), 'HTTP File Upload', 'What clients show as the name of the service.'),
});

export const slotApiSchema = z.strictObject({
  path: withDefault(urlPath(), '/slot/', 'Where slots are asked for.'),
  allow_from: withDefault(
    z.array(addressRange()).min(1, 'the list is empty: nobody could call'),
    LOOPBACK_RANGES,
    'Who may ask. To rely on the token alone: `[0.0.0.0/0, "::/0"]`.',
  ),
  token: optional(
    secret(),
    'no token is asked for',
    'Must come as `Authorization: Bearer …`, or as the last part of the path (`/slot/TOKEN/`), which is what ejabberd can do.',
  ),
});

export const externalSchema = z.strictObject({
  path: withDefault(urlPath(), '/upload/', 'The path that the base URL in the XMPP server ends with.'),
  secret: required(
    oneOrMany(secret()),
    'The secret both sides share. Of a list the first signs and all are accepted, so that it can be changed without a gap.',
  ),
  delete_secret: optional(
    secret(),
    'nothing can be deleted from outside',
    "The secret of Metronome's signed `DELETE`.",
  ),
  max_file_size: withDefault(
    size({ min: 1 }),
    '100 MiB',
    'The largest file, whatever the XMPP server has signed.',
  ),
  max_total_size: optional(
    size({ min: 1 }),
    'no limit',
    'Bytes of one user whom the links name by a hash (ejabberd) and whose JID nothing here knows: the limits of `access` hold for all others. Links of Prosody and Metronome name no user.',
  ),
});

export const fileShareSchema = z.strictObject({
  path: withDefault(urlPath(), '/file_share/', 'The path that `http_file_share_base_url` ends with.'),
  secret: required(
    oneOrMany(secret()),
    'The same as `http_file_share_secret`. Of a list all are accepted, so that it can be changed without a gap.',
  ),
});

export const adminSchema = z.strictObject({
  path: withDefault(urlPath(), '/admin/', 'Where the page is.'),
  jids: withDefault(z.array(jid()), [], 'XMPP accounts that may see and do everything.'),
  token: optional(secret(), 'only accounts can sign in', 'A token to sign in with instead of an account.'),
});

export const metricsSchema = z.strictObject({
  path: withDefault(urlPath({ bare: true }), '/metrics', 'Where Prometheus finds them.'),
  allow_from: withDefault(
    z.array(addressRange()),
    LOOPBACK_RANGES,
    'Who may read them; an empty list turns the page off.',
  ),
});
