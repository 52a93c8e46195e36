import * as z from 'zod';
import { hookSchema } from './hooks.ts';
import { callbackUrl, serverAddress, urlPath } from './location-types.ts';
import { oneOrMany, optional, withDefault } from './options.ts';
import { tokenFields } from './tokens.ts';
import { bool, integer, oneOf, pattern, period, secret, size } from './value-types.ts';

const SECOND = 1000;
const DAY = 86_400 * SECOND;

const messageToken = z.strictObject({
  ...tokenFields,
  to: withDefault(oneOrMany(pattern()), ['.*'], 'Patterns of the bare JIDs to which the token may send.'),
});

const sessions = z.strictObject({
  max: withDefault(
    integer({ min: 1, max: 100_000 }),
    500,
    'Sessions kept open at the same time. The least recently used is closed first.',
  ),
  idle: withDefault(period({ min: SECOND, max: DAY }), '10m', 'How long an unused session is kept.'),
});

const callback = z.strictObject({
  format: withDefault(
    oneOf(['json', 'xml']),
    'json',
    'The format of the stanza in the body, if the receiver does not announce another.',
  ),
  secret: optional(
    secret(),
    'requests are not signed',
    'The key with which each request is signed, so that the receiver can authenticate it.',
  ),
  stanzas: withDefault(
    z.array(oneOf(['message', 'presence', 'iq'])).min(1, 'the list is empty: leave callback_url out instead'),
    ['message', 'presence', 'iq'],
    'The kinds of stanzas that are passed on.',
  ),
  timeout: withDefault(period({ min: SECOND, max: 300 * SECOND }), '30s', 'How long one request may take.'),
  keep_trying: withDefault(
    period({ min: SECOND, max: 30 * DAY }),
    '1d',
    'How long a stanza is retried, at growing intervals, before it is dropped.',
  ),
  max_waiting: withDefault(
    integer({ min: 1, max: 10_000_000 }),
    10_000,
    'The largest number of queued stanzas. Further stanzas are bounced.',
  ),
});

export const messagesSchema = z.strictObject({
  path: withDefault(urlPath(), '/msg/', 'The path for messages.'),
  rest_path: withDefault(
    urlPath({ bare: true }),
    '/rest',
    "The path for stanzas, compatible with Prosody's mod_rest.",
  ),
  share_path: withDefault(
    urlPath(),
    '/share/',
    'The path for files without a message: `PUT` a file below it with the credentials of messages. The answer is its link.',
  ),
  server: optional(
    serverAddress(5222),
    "found by the account's domain (SRV records)",
    'The XMPP server that accounts log in to.',
  ),
  require_tls: withDefault(
    bool(),
    true,
    'Send passwords only over an encrypted stream, to a server whose certificate is valid for the domain of the account. ' +
      '`false` is allowed only for a server on this machine; its certificate is then not checked.',
  ),
  direct_tls: withDefault(
    bool(),
    false,
    '`server` speaks TLS from the first byte, as on port 5223, instead of after STARTTLS.',
  ),
  accounts: optional(
    oneOrMany(pattern()),
    'accounts of the domains that `component` and `access` name',
    'Patterns of the bare JIDs that may log in here with their XMPP password. By default: accounts at the domains of the ' +
      'components and at their parent domains (`example.org` for `upload.example.org`), and accounts that match an `access` rule whose ' +
      'pattern names their domain.',
  ),
  tokens: withDefault(z.array(messageToken), [], 'Bearer tokens, for senders that have no XMPP account.'),
  hooks: withDefault(
    z.array(hookSchema),
    [],
    'Webhook addresses below `hooks/` of `path`, for the payloads of other programs (docs/hooks.md).',
  ),
  max_size: withDefault(size({ min: 1024 }), '192 KiB', 'The longest message or stanza, files not counted.'),
  bounce_wait: withDefault(
    period({ min: 0, max: 60 * SECOND }),
    '2s',
    "The longest wait until the recipient's server has accepted or bounced a message. It usually takes milliseconds, because Porter " +
      'sends a ping after the message and the server answers it. `?wait=0` in a request does not wait.',
  ),
  answer_timeout: withDefault(
    period({ min: SECOND, max: 300 * SECOND }),
    '15s',
    'How long the XMPP server or a room may take to answer.',
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
    'Queued messages of all tokens with `queue` in total.',
  ),
  keep_trying: withDefault(
    period({ min: SECOND, max: 30 * DAY }),
    '1d',
    'How long a queued message is retried before it is dropped.',
  ),
  callback_url: optional(
    callbackUrl(['kind', 'type', 'to', 'from']),
    'stanzas are not passed on',
    'The URL to which stanzas to the component are posted; may contain `{kind}`, `{type}`, `{to}` and `{from}`.',
  ),
  callback: withDefault(callback, {}, 'How stanzas are posted to `callback_url`.'),
});
