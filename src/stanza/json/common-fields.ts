import { dataFormField, formDataField } from './data-forms.ts';
import {
  attribute,
  childAttribute,
  type Field,
  type FieldTable,
  findChild,
  objectChild,
  SCALARS,
  textChild,
} from './fields.ts';
import { jsonPayloadField } from './json-payload.ts';

/** A page of a result set (XEP-0059). Requests have the index as a child, answers at the first id. */
const rsmIndex: Field = {
  read(set) {
    const inRequest = textChild('index', undefined, SCALARS.wholeNumber).read(set);
    const first = findChild(set, 'first');
    return inRequest ?? (first && attribute('index', SCALARS.wholeNumber).read(first));
  },
  write(set, value, key) {
    const first = findChild(set, 'first');
    if (first) attribute('index', SCALARS.wholeNumber).write(first, value, key);
    else textChild('index', undefined, SCALARS.wholeNumber).write(set, value, key);
  },
};

export const resultSetField = objectChild('set', 'http://jabber.org/protocol/rsm', {
  after: textChild('after'),
  before: textChild('before'),
  count: textChild('count', undefined, SCALARS.wholeNumber),
  first: textChild('first'),
  index: rsmIndex,
  last: textChild('last'),
  max: textChild('max', undefined, SCALARS.wholeNumber),
});

/** XEP-0203. */
export const delayField = childAttribute('delay', 'urn:xmpp:delay', 'stamp');

/** The attributes of every stanza but its type. */
export const addressFields: FieldTable = {
  to: attribute('to'),
  from: attribute('from'),
  id: attribute('id'),
  lang: attribute('xml:lang'),
};

/** What any kind of stanza may carry. */
export const commonFields: FieldTable = {
  delay: delayField,
  // XEP-0172.
  nick: textChild('nick', 'http://jabber.org/protocol/nick'),
  payload: jsonPayloadField,
  rsm: resultSetField,
  dataform: dataFormField,
  formdata: formDataField,
};
