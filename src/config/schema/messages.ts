import { z } from 'zod';
import { hookSchema } from './hooks.ts';
import { callbackUrl, serverAddress, urlPath } from './location-types.ts';
import { oneOrMany, optional, withDefault } from './options.ts';
import { tokenFields } from './tokens.ts';
import { bool, integer, oneOf, pattern, period, secret, size } from './value-types.ts';

const SECOND = 1000;
const DAY = 86_400 * SECOND;

const messageToken = z.strictObject({
  ...tokenFields,
  to: withDefault(oneOrMany(pattern()), ['.*'], 'Patterns of the bare JIDs it may write to.'),
});

const sessions = z.strictObject({
  max: withDefault(
    integer({ min: 1, max: 100_000 }),
    500,
    'Sessions kept open at one time; the one unused for longest is closed first.',
  ),
  idle: withDefault(period({ min: SECOND, max: DAY }), '10m', 'How long an unused session is kept.'),
});

const callback = z.strictObject({
  format: withDefault(
    oneOf(['json', 'xml']),
    'json',
    'The form of the stanza in the body, if the receiver does not say what it accepts.',
  ),
  secret: optional(
    secret(),
    'requests are not signed',
    'Signs each request, so that the receiver knows that it comes from here.',
  ),
  stanzas: withDefault(
    z.array(oneOf(['message', 'presence', 'iq'])).min(1, 'the list is empty: leave callback_url out instead'),
    ['message', 'presence', 'iq'],
    'Which kinds are passed on.',
  ),
  timeout: withDefault(period({ min: SECOND, max: 300 * SECOND }), '30s', 'How long one request may take.'),
  keep_trying: withDefault(
    period({ min: SECOND, max: 30 * DAY }),
    '1d',
    'How long a stanza is tried again, later and later, before it is given up.',
  ),
  max_waiting: withDefault(
    integer({ min: 1, max: 10_000_000 }),
    10_000,
    'Stanzas that may wait; what comes beyond is bounced.',
  ),
});

export const messagesSchema = z.strictObject({
  path: withDefault(urlPath(), '/msg/', 'Where messages are posted.'),
  rest_path: withDefault(
    urlPath({ bare: true }),
    '/rest',
    "Where stanzas are posted, as with Prosody's mod_rest.",
  ),
  server: optional(
    serverAddress(5222),
    "found by the account's domain (SRV records)",
    'The XMPP server that accounts log in to.',
  ),
  require_tls: withDefault(
    bool(),
    true,
    'Send passwords only over an encrypted stream, to a server whose certificate is for the domain of the account. ' +
      '`false` is only for a server on this machine: it is then trusted as it is, whatever its certificate.',
  ),
  direct_tls: withDefault(
    bool(),
    false,
    '`server` speaks TLS from the first byte, as on port 5223, instead of after STARTTLS.',
  ),
  accounts: withDefault(
    oneOrMany(pattern()),
    ['.*'],
    'Patterns of the bare JIDs that may log in here with their XMPP password.',
  ),
  tokens: withDefault(z.array(messageToken), [], 'Bearer tokens, for senders that have no XMPP account.'),
  hooks: withDefault(
    z.array(hookSchema),
    [],
    'Addresses below `hooks/` of `path` to which programs post in a form of their own (docs/hooks.md).',
  ),
  max_size: withDefault(size({ min: 1024 }), '192 KiB', 'The longest message or stanza, files not counted.'),
  bounce_wait: withDefault(
    period({ min: 0, max: 60 * SECOND }),
    '500ms',
    'How long an answer waits for a bounce of its message; `?wait=0` in a request does not wait.',
  ),
  answer_timeout: withDefault(
    period({ min: SECOND, max: 300 * SECOND }),
    '15s',
    'How long the XMPP server, or a room, may take.',
  ),
  room_idle: withDefault(
    period({ min: SECOND, max: DAY }),
    '30m',
    'How long a joined room is kept after its last message.',
  ),
  sessions: withDefault(sessions, {}, 'Sessions of accounts.'),
  max_waiting: withDefault(
    integer({ min: 1, max: 10_000_000 }),
    100_000,
    'Messages that tokens with `queue` may have waiting, all together.',
  ),
  keep_trying: withDefault(
    period({ min: SECOND, max: 30 * DAY }),
    '1d',
    'How long such a message waits before it is given up.',
  ),
  callback_url: optional(
    callbackUrl(['kind', 'type', 'to', 'from']),
    'stanzas are not passed on',
    'Where stanzas to the component are posted; may hold `{kind}`, `{type}`, `{to}` and `{from}`.',
  ),
  callback: withDefault(callback, {}, 'How they are posted.'),
});
