import { common } from './common.ts';
import {
  attribute,
  childOf,
  type Field,
  type Fields,
  object,
  scalars,
  single,
  text,
  wrong,
} from './fields.ts';

const MUC = 'http://jabber.org/protocol/muc';
const SHOWN = ['away', 'chat', 'dnd', 'xa'];

/** Joining a room (XEP-0045 §7.2). */
const muc = object('x', MUC, {
  history: object('history', undefined, {
    maxchars: attribute('maxchars', scalars.wholeNumber),
    maxstanzas: attribute('maxstanzas', scalars.wholeNumber),
    seconds: attribute('seconds', scalars.wholeNumber),
    since: attribute('since'),
  }),
  password: text('password'),
});

/** The short way to say `muc: {}`; only written. */
const join: Field = {
  read: () => undefined,
  write(presence, value) {
    const wanted = value === true || value === 'true' || value === '';
    if (wanted && !childOf(presence, 'x', MUC)) muc.write(presence, {}, 'muc');
  },
};

/** RFC 6121 §4.7.2.1. */
const show: Field = {
  ...text('show'),
  write(presence, value, key) {
    if (!SHOWN.some((one) => one === value)) throw wrong(key, `must be one of ${SHOWN.join(', ')}`);
    text('show').write(presence, value, key);
  },
};

/** The keys of a presence beside its addresses. */
export const presenceFields: Fields = {
  show,
  status: text('status'),
  priority: text('priority', undefined, scalars.wholeNumber),
  // XEP-0115.
  caps: object('c', 'http://jabber.org/protocol/caps', {
    hash: attribute('hash'),
    node: attribute('node'),
    ver: attribute('ver'),
    ext: attribute('ext'),
  }),
  // XEP-0319.
  idle_since: single('idle', 'urn:xmpp:idle:1', 'since'),
  muc,
  join,
  // XEP-0153.
  vcard_update: object('x', 'vcard-temp:x:update', { photo: text('photo') }),
  ...common,
};
