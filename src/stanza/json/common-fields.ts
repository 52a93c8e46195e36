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

/** A page of a result set (XEP-0059). The index is a child in requests, and an attribute of `first` in answers. */
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

/** The attributes of every stanza, except its type. */
export const addressFields: FieldTable = {
  to: attribute('to'),
  from: attribute('from'),
  id: attribute('id'),
  lang: attribute('xml:lang'),
};

/** Fields of all kinds of stanzas. */
export const commonFields: FieldTable = {
  delay: delayField,
  // XEP-0172.
  nick: textChild('nick', 'http://jabber.org/protocol/nick'),
  payload: jsonPayloadField,
  rsm: resultSetField,
  dataform: dataFormField,
  formdata: formDataField,
};
