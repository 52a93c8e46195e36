import { attribute, childOf, type Field, type Fields, object, scalars, single, text } from './fields.ts';
import { dataform, formdata } from './forms.ts';
import { jsonPayload } from './payload.ts';

/** A page of a result set (XEP-0059). Requests have the index as a child, answers at the first id. */
const rsmIndex: Field = {
  read(set) {
    const inRequest = text('index', undefined, scalars.wholeNumber).read(set);
    const first = childOf(set, 'first');
    return inRequest ?? (first && attribute('index', scalars.wholeNumber).read(first));
  },
  write(set, value, key) {
    const first = childOf(set, 'first');
    if (first) attribute('index', scalars.wholeNumber).write(first, value, key);
    else text('index', undefined, scalars.wholeNumber).write(set, value, key);
  },
};

export const rsm = object('set', 'http://jabber.org/protocol/rsm', {
  after: text('after'),
  before: text('before'),
  count: text('count', undefined, scalars.wholeNumber),
  first: text('first'),
  index: rsmIndex,
  last: text('last'),
  max: text('max', undefined, scalars.wholeNumber),
});

/** XEP-0203. */
export const delay = single('delay', 'urn:xmpp:delay', 'stamp');

/** The attributes of every stanza but its type. */
export const addressing: Fields = {
  to: attribute('to'),
  from: attribute('from'),
  id: attribute('id'),
  lang: attribute('xml:lang'),
};

/** What any kind of stanza may carry. */
export const common: Fields = {
  delay,
  // XEP-0172.
  nick: text('nick', 'http://jabber.org/protocol/nick'),
  payload: jsonPayload,
  rsm,
  dataform,
  formdata,
};
