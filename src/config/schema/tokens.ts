import * as z from 'zod';
import { optional, required, withDefault } from './options.ts';
import { bool, integer, jid, period, secret } from './value-types.ts';

const SECOND = 1000;
const DAY = 86_400 * SECOND;

const messagesPer = z.strictObject({
  period: required(period({ min: SECOND, max: 366 * DAY }), 'The length of the sliding window.'),
  messages: required(integer({ min: 1 }), 'The messages that the token may send within the period.'),
});

/** The options that every token has. */
export const tokenFields = {
  token: required(
    secret(),
    'The bearer token, or `sha256:` and its hex SHA-256, so that the config does not contain the token itself.',
  ),
  from: required(jid(), 'The sender of its messages: a JID at a component of this Porter.'),
  messages_per: optional(messagesPer, 'no limit', 'A rate limit for messages.'),
  queue: withDefault(
    bool(),
    false,
    'Whether to queue messages while the XMPP server is down: they are accepted with 202, stored durably and sent after the reconnect.',
  ),
};
