import { z } from 'zod';
import { addressRange, domainJid, jid, secret, size, text } from './kinds.ts';
import { oneOrMany, optional, preset, required } from './options.ts';
import { serverAddress, urlPath } from './places.ts';

/** Loopback: the machine itself and a web server beside it. */
export const LOOPBACK = ['127.0.0.0/8', '::1'];

export const component = z.strictObject({
  jid: required(domainJid(), 'The JID of the component: a domain of its own, as the XMPP server names it.'),
  secret: required(secret(), 'The secret that the XMPP server has for this component.'),
  server: preset(
    serverAddress(5347),
    '127.0.0.1:5347',
    'Where the XMPP server takes components. Keep it on the same machine or inside a tunnel: XEP-0114 is not encrypted.',
  ),
  name: preset(text(), 'HTTP File Upload', 'What clients show as the name of the service.'),
});

export const slotApi = z.strictObject({
  path: preset(urlPath(), '/slot/', 'Where slots are asked for.'),
  allow_from: preset(
    z.array(addressRange()).min(1, 'the list is empty: nobody could call'),
    LOOPBACK,
    'Who may ask. To rely on the token alone: `[0.0.0.0/0, "::/0"]`.',
  ),
  token: optional(
    secret(),
    'no token is asked for',
    'Must come as `Authorization: Bearer …`, or as the last part of the path (`/slot/TOKEN/`), which is what ejabberd can do.',
  ),
});

export const external = z.strictObject({
  path: preset(urlPath(), '/upload/', 'The path that the base URL in the XMPP server ends with.'),
  secret: required(
    oneOrMany(secret()),
    'The secret both sides share. Of a list the first signs and all are accepted, so that it can be changed without a gap.',
  ),
  delete_secret: optional(
    secret(),
    'nothing can be deleted from outside',
    "The secret of Metronome's signed `DELETE`.",
  ),
  max_file_size: preset(
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

export const fileShare = z.strictObject({
  path: preset(urlPath(), '/file_share/', 'The path that `http_file_share_base_url` ends with.'),
  secret: required(
    oneOrMany(secret()),
    'The same as `http_file_share_secret`. Of a list all are accepted, so that it can be changed without a gap.',
  ),
});

export const admin = z.strictObject({
  path: preset(urlPath(), '/admin/', 'Where the page is.'),
  jids: preset(z.array(jid()), [], 'XMPP accounts that may see and do everything.'),
  token: optional(secret(), 'only accounts can sign in', 'A token to sign in with instead of an account.'),
});

export const metrics = z.strictObject({
  path: preset(urlPath({ bare: true }), '/metrics', 'Where Prometheus finds them.'),
  allow_from: preset(
    z.array(addressRange()),
    LOOPBACK,
    'Who may read them; an empty list turns the page off.',
  ),
});
