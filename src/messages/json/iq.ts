import { command } from './command.ts';
import { common, rsm } from './common.ts';
import { disco, items } from './disco.ts';
import { attribute, type Fields, flag, object, objects, ownText, scalars, text, wrapped } from './fields.ts';
import { dataformWithValues } from './forms.ts';

const MAM = 'urn:xmpp:mam:2';
const UPLOAD = 'urn:xmpp:http:upload:0';

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
const service: Fields = {
  type: attribute('type'),
  host: attribute('host'),
  port: attribute('port', scalars.wholeNumber),
  transport: attribute('transport'),
  name: attribute('name'),
  username: attribute('username'),
  password: attribute('password'),
  expires: attribute('expires'),
  restricted: attribute('restricted', scalars.yesOrNo),
};

const url: Fields = { url: attribute('url') };

/** The keys of an iq beside its addresses. */
export const iqFields: Fields = {
  // XEP-0199.
  ping: flag('ping', 'urn:xmpp:ping'),
  // XEP-0092.
  version: object('query', 'jabber:iq:version', {
    name: text('name'),
    version: text('version'),
    os: text('os'),
  }),
  disco,
  items,
  command,
  extdisco: object('services', 'urn:xmpp:extdisco:2', {
    type: attribute('type'),
    services: objects('service', undefined, service),
  }),
  // XEP-0012.
  lastactivity: object('query', 'jabber:iq:last', {
    seconds: attribute('seconds', scalars.wholeNumber),
    status: ownText(),
  }),
  // XEP-0066.
  oob: object('query', 'jabber:iq:oob', { url: text('url'), desc: text('desc') }),
  // XEP-0100.
  gateway: object('query', 'jabber:iq:gateway', {
    desc: text('desc'),
    jid: text('jid'),
    prompt: text('prompt'),
  }),
  // XEP-0077.
  register: object('query', 'jabber:iq:register', {
    ...Object.fromEntries(REGISTRATION.map((name) => [name, text(name)])),
    registered: flag('registered'),
    remove: flag('remove'),
  }),
  // XEP-0039.
  stats: wrapped('query', 'http://jabber.org/protocol/stats', 'stat', {
    name: attribute('name'),
    unit: attribute('unit'),
    value: attribute('value', scalars.anyNumber),
  }),
  // XEP-0363.
  upload_request: object('request', UPLOAD, {
    filename: attribute('filename'),
    size: attribute('size', scalars.wholeNumber),
    'content-type': attribute('content-type'),
  }),
  upload_slot: object('slot', UPLOAD, {
    get: object('get', undefined, url),
    put: object('put', undefined, {
      ...url,
      headers: objects('header', undefined, { name: attribute('name'), value: ownText() }),
    }),
  }),
  // XEP-0313; the short way to ask is opened up in `archive.ts`.
  archive: object('query', MAM, {
    queryid: attribute('queryid'),
    form: dataformWithValues,
    page: rsm,
  }),
  result: object('fin', MAM, { page: rsm }),
  ...common,
};
