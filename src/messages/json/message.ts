import { common, delay } from './common.ts';
import {
  attribute,
  childOf,
  choice,
  type Field,
  type Fields,
  flag,
  object,
  objects,
  ownText,
  scalars,
  single,
  text,
  texts,
} from './fields.ts';
import { html } from './html.ts';

const OOB = 'jabber:x:oob';
const MARKERS = 'urn:xmpp:chat-markers:0';
const MAM = 'urn:xmpp:mam:2';
const STATES = ['active', 'inactive', 'gone', 'composing', 'paused'];

/** XEP-0297. */
const forwarded: Fields = {
  delay,
  message: object('message', 'jabber:client', () => forwardedMessage),
};

/** XEP-0066. The second name of `oob`, for those who have nothing but the URL. */
const oobUrl: Field = {
  read(message) {
    const oob = childOf(message, 'x', OOB);
    return oob && text('url').read(oob);
  },
  write(message, value, key) {
    if (!childOf(message, 'x', OOB)) object('x', OOB, { url: text('url') }, 'url').write(message, value, key);
  },
};

/** The keys of a message beside its addresses. */
export const messageFields: Fields = {
  body: text('body'),
  subject: text('subject'),
  thread: object('thread', undefined, { id: ownText(), parent: attribute('parent') }, 'id'),
  // XEP-0085.
  state: choice('http://jabber.org/protocol/chatstates', STATES),
  html,
  oob: object('x', OOB, { url: text('url'), desc: text('desc') }, 'url'),
  oob_url: oobUrl,
  // XEP-0308.
  replace: single('replace', 'urn:xmpp:message-correct:0', 'id'),
  // XEP-0461.
  reply: object('reply', 'urn:xmpp:reply:0', { id: attribute('id'), to: attribute('to') }),
  // XEP-0444.
  reactions: object('reactions', 'urn:xmpp:reactions:0', {
    id: attribute('id'),
    reactions: texts('reaction'),
  }),
  // XEP-0333.
  markable: flag('markable', MARKERS),
  displayed: single('displayed', MARKERS, 'id'),
  // XEP-0367.
  attach_to: single('attach-to', 'urn:xmpp:message-attaching:1', 'id'),
  // XEP-0380.
  encryption: single('encryption', 'urn:xmpp:eme:0', 'namespace'),
  // XEP-0428.
  fallback: flag('fallback', 'urn:xmpp:fallback:0'),
  forwarded: object('forwarded', 'urn:xmpp:forward:0', forwarded),
  // XEP-0249.
  invite: object('x', 'jabber:x:conference', {
    jid: attribute('jid'),
    reason: attribute('reason'),
    password: attribute('password'),
    thread: attribute('thread'),
    continue: attribute('continue', scalars.yesOrNo),
  }),
  // XEP-0421.
  occupant_id: single('occupant-id', 'urn:xmpp:occupant-id:0', 'id'),
  // XEP-0359.
  stanza_ids: objects('stanza-id', 'urn:xmpp:sid:0', { id: attribute('id'), by: attribute('by') }),
  // XEP-0372.
  reference: object('reference', 'urn:xmpp:reference:0', {
    type: attribute('type'),
    uri: attribute('uri'),
    begin: attribute('begin', scalars.wholeNumber),
    end: attribute('end', scalars.wholeNumber),
  }),
  // XEP-0313, one of the results.
  archive: object('result', MAM, {
    id: attribute('id'),
    queryid: attribute('queryid'),
    forward: object('forwarded', 'urn:xmpp:forward:0', forwarded),
  }),
  ...common,
};

/** A message within another keeps its addresses. */
const forwardedMessage: Fields = {
  type: attribute('type'),
  to: attribute('to'),
  from: attribute('from'),
  id: attribute('id'),
  lang: attribute('xml:lang'),
  ...messageFields,
};
