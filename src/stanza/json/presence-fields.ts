import { MUC } from '../namespaces.ts';
import { commonFields } from './common-fields.ts';
import {
  attribute,
  childAttribute,
  type Field,
  type FieldTable,
  findChild,
  invalidValue,
  objectChild,
  SCALARS,
  textChild,
} from './fields.ts';

const SHOW_VALUES = ['away', 'chat', 'dnd', 'xa'];

/** Joining a room (XEP-0045 §7.2). */
const muc = objectChild('x', MUC, {
  history: objectChild('history', undefined, {
    maxchars: attribute('maxchars', SCALARS.wholeNumber),
    maxstanzas: attribute('maxstanzas', SCALARS.wholeNumber),
    seconds: attribute('seconds', SCALARS.wholeNumber),
    since: attribute('since'),
  }),
  password: textChild('password'),
});

/** A short form of `muc: {}`. Write-only. */
const join: Field = {
  read: () => undefined,
  write(presence, value) {
    const isSet = value === true || value === 'true' || value === '';
    if (isSet && !findChild(presence, 'x', MUC)) muc.write(presence, {}, 'muc');
  },
};

/** RFC 6121 §4.7.2.1. */
const show: Field = {
  ...textChild('show'),
  write(presence, value, key) {
    if (!SHOW_VALUES.some((name) => name === value))
      throw invalidValue(key, `must be one of ${SHOW_VALUES.join(', ')}`);
    textChild('show').write(presence, value, key);
  },
};

/** The keys of a presence, except its addresses. */
export const presenceFields: FieldTable = {
  show,
  status: textChild('status'),
  priority: textChild('priority', undefined, SCALARS.wholeNumber),
  // XEP-0115.
  caps: objectChild('c', 'http://jabber.org/protocol/caps', {
    hash: attribute('hash'),
    node: attribute('node'),
    ver: attribute('ver'),
    ext: attribute('ext'),
  }),
  // XEP-0319.
  idle_since: childAttribute('idle', 'urn:xmpp:idle:1', 'since'),
  muc,
  join,
  // XEP-0153.
  vcard_update: objectChild('x', 'vcard-temp:x:update', { photo: textChild('photo') }),
  ...commonFields,
};
