import { MAM, UPLOAD } from '../namespaces.ts';
import { commandField } from './command-field.ts';
import { commonFields, resultSetField } from './common-fields.ts';
import { dataFormWithValuesField } from './data-forms.ts';
import { discoInfoField, discoItemsField } from './disco-fields.ts';
import {
  attribute,
  elementText,
  type FieldTable,
  flagChild,
  objectChild,
  objectList,
  SCALARS,
  textChild,
  wrappedList,
} from './fields.ts';

const REGISTRATION = [
  'address',
  'city',
  'date',
  'email',
  'first',
  'instructions',
  'key',
  'last',
  'misc',
  'name',
  'nick',
  'password',
  'phone',
  'state',
  'text',
  'url',
  'username',
  'zip',
];

/** XEP-0215. */
const service: FieldTable = {
  type: attribute('type'),
  host: attribute('host'),
  port: attribute('port', SCALARS.wholeNumber),
  transport: attribute('transport'),
  name: attribute('name'),
  username: attribute('username'),
  password: attribute('password'),
  expires: attribute('expires'),
  restricted: attribute('restricted', SCALARS.yesOrNo),
};

const url: FieldTable = { url: attribute('url') };

/** The keys of an iq, except its addresses. */
export const iqFields: FieldTable = {
  // XEP-0199.
  ping: flagChild('ping', 'urn:xmpp:ping'),
  // XEP-0092.
  version: objectChild('query', 'jabber:iq:version', {
    name: textChild('name'),
    version: textChild('version'),
    os: textChild('os'),
  }),
  disco: discoInfoField,
  items: discoItemsField,
  command: commandField,
  extdisco: objectChild('services', 'urn:xmpp:extdisco:2', {
    type: attribute('type'),
    services: objectList('service', undefined, service),
  }),
  // XEP-0012.
  lastactivity: objectChild('query', 'jabber:iq:last', {
    seconds: attribute('seconds', SCALARS.wholeNumber),
    status: elementText(),
  }),
  // XEP-0066.
  oob: objectChild('query', 'jabber:iq:oob', { url: textChild('url'), desc: textChild('desc') }),
  // XEP-0100.
  gateway: objectChild('query', 'jabber:iq:gateway', {
    desc: textChild('desc'),
    jid: textChild('jid'),
    prompt: textChild('prompt'),
  }),
  // XEP-0077.
  register: objectChild('query', 'jabber:iq:register', {
    ...Object.fromEntries(REGISTRATION.map((name) => [name, textChild(name)])),
    registered: flagChild('registered'),
    remove: flagChild('remove'),
  }),
  // XEP-0039.
  stats: wrappedList('query', 'http://jabber.org/protocol/stats', 'stat', {
    name: attribute('name'),
    unit: attribute('unit'),
    value: attribute('value', SCALARS.anyNumber),
  }),
  // XEP-0363.
  upload_request: objectChild('request', UPLOAD, {
    filename: attribute('filename'),
    size: attribute('size', SCALARS.wholeNumber),
    'content-type': attribute('content-type'),
  }),
  upload_slot: objectChild('slot', UPLOAD, {
    get: objectChild('get', undefined, url),
    put: objectChild('put', undefined, {
      ...url,
      headers: objectList('header', undefined, { name: attribute('name'), value: elementText() }),
    }),
  }),
  // XEP-0313. `archive-query.ts` expands the short form of a query.
  archive: objectChild('query', MAM, {
    queryid: attribute('queryid'),
    form: dataFormWithValuesField,
    page: resultSetField,
  }),
  result: objectChild('fin', MAM, { page: resultSetField }),
  ...commonFields,
};
