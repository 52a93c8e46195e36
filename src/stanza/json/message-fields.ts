import { MAM } from '../namespaces.ts';
import { commonFields, delayField } from './common-fields.ts';
import {
  attribute,
  childAttribute,
  choiceChild,
  elementText,
  type Field,
  type FieldTable,
  findChild,
  flagChild,
  objectChild,
  objectList,
  SCALARS,
  textChild,
  textList,
} from './fields.ts';
import { htmlField } from './html-field.ts';

const OOB = 'jabber:x:oob';
const MARKERS = 'urn:xmpp:chat-markers:0';
const STATES = ['active', 'inactive', 'gone', 'composing', 'paused'];

/** XEP-0297. */
const forwarded: FieldTable = {
  delay: delayField,
  message: objectChild('message', 'jabber:client', () => forwardedMessage),
};

/** XEP-0066. A short form of `oob` that has only the URL. */
const oobUrl: Field = {
  read(message) {
    const oob = findChild(message, 'x', OOB);
    return oob && textChild('url').read(oob);
  },
  write(message, value, key) {
    if (!findChild(message, 'x', OOB))
      objectChild('x', OOB, { url: textChild('url') }, 'url').write(message, value, key);
  },
};

/** The keys of a message, except its addresses. */
export const messageFields: FieldTable = {
  body: textChild('body'),
  subject: textChild('subject'),
  thread: objectChild('thread', undefined, { id: elementText(), parent: attribute('parent') }, 'id'),
  // XEP-0085.
  state: choiceChild('http://jabber.org/protocol/chatstates', STATES),
  html: htmlField,
  oob: objectChild('x', OOB, { url: textChild('url'), desc: textChild('desc') }, 'url'),
  oob_url: oobUrl,
  // XEP-0308.
  replace: childAttribute('replace', 'urn:xmpp:message-correct:0', 'id'),
  // XEP-0461.
  reply: objectChild('reply', 'urn:xmpp:reply:0', { id: attribute('id'), to: attribute('to') }),
  // XEP-0444.
  reactions: objectChild('reactions', 'urn:xmpp:reactions:0', {
    id: attribute('id'),
    reactions: textList('reaction'),
  }),
  // XEP-0333.
  markable: flagChild('markable', MARKERS),
  displayed: childAttribute('displayed', MARKERS, 'id'),
  // XEP-0367.
  attach_to: childAttribute('attach-to', 'urn:xmpp:message-attaching:1', 'id'),
  // XEP-0380.
  encryption: childAttribute('encryption', 'urn:xmpp:eme:0', 'namespace'),
  // XEP-0428.
  fallback: flagChild('fallback', 'urn:xmpp:fallback:0'),
  forwarded: objectChild('forwarded', 'urn:xmpp:forward:0', forwarded),
  // XEP-0249.
  invite: objectChild('x', 'jabber:x:conference', {
    jid: attribute('jid'),
    reason: attribute('reason'),
    password: attribute('password'),
    thread: attribute('thread'),
    continue: attribute('continue', SCALARS.yesOrNo),
  }),
  // XEP-0421.
  occupant_id: childAttribute('occupant-id', 'urn:xmpp:occupant-id:0', 'id'),
  // XEP-0359.
  stanza_ids: objectList('stanza-id', 'urn:xmpp:sid:0', { id: attribute('id'), by: attribute('by') }),
  // XEP-0372.
  reference: objectChild('reference', 'urn:xmpp:reference:0', {
    type: attribute('type'),
    uri: attribute('uri'),
    begin: attribute('begin', SCALARS.wholeNumber),
    end: attribute('end', SCALARS.wholeNumber),
  }),
  // XEP-0313: one result.
  archive: objectChild('result', MAM, {
    id: attribute('id'),
    queryid: attribute('queryid'),
    forward: objectChild('forwarded', 'urn:xmpp:forward:0', forwarded),
  }),
  ...commonFields,
};

/** A forwarded message, with its addresses. */
const forwardedMessage: FieldTable = {
  type: attribute('type'),
  to: attribute('to'),
  from: attribute('from'),
  id: attribute('id'),
  lang: attribute('xml:lang'),
  ...messageFields,
};
