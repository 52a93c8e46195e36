import { z } from 'zod';
import { optional, required, withDefault } from './options.ts';
import { bool, integer, jid, period, secret } from './value-types.ts';

const SECOND = 1000;
const DAY = 86_400 * SECOND;

const messagesPer = z.strictObject({
  period: required(
    period({ min: SECOND, max: 366 * DAY }),
    'The length of the window that slides with the time.',
  ),
  messages: required(integer({ min: 1 }), 'Messages that it may send within it.'),
});

/** What a token needs wherever it is used. */
export const tokenFields = {
  token: required(
    secret(),
    'The bearer token; `sha256:…` with the hex SHA-256 of it keeps the token itself out of the config.',
  ),
  from: required(jid(), 'The JID that its messages come from: at a component of ours.'),
  messages_per: optional(messagesPer, 'no limit', 'Messages within a time.'),
  queue: withDefault(
    bool(),
    false,
    'While the XMPP server is gone, take messages all the same (202), keep them safe and send them when it is back.',
  ),
};
