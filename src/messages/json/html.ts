import type { Element } from '@xmpp/xml';
import { canonicalWithin } from '../canonical.ts';
import { NotWellFormed, parseElement } from '../parse-xml.ts';
import { addChild, childOf, type Field, textOf, wrong } from './fields.ts';

const XHTML_IM = 'http://jabber.org/protocol/xhtml-im';
const XHTML = 'http://www.w3.org/1999/xhtml';

/** XEP-0071: the whole `<body>…</body>` as text, without its namespace. */
export const html: Field = {
  read(message) {
    const element = childOf(message, 'html', XHTML_IM);
    const body = element && childOf(element, 'body', XHTML);
    return body && canonicalWithin(body, XHTML).toString();
  },
  write(message, value, key) {
    addChild(message, 'html', XHTML_IM).append(readBody(textOf(value, key), key));
  },
};

function readBody(given: string, key: string): Element {
  const [body, ...more] = parse(given, key).children;
  if (body === undefined || typeof body === 'string' || more.length > 0 || !body.is('body', XHTML)) {
    throw wrong(key, 'must be one <body>…</body>');
  }
  return canonicalWithin(body, XHTML_IM);
}

function parse(given: string, key: string): Element {
  try {
    return parseElement(`<html xmlns='${XHTML}'>${given.trim()}</html>`);
  } catch (error) {
    if (!(error instanceof NotWellFormed)) throw error;
    throw wrong(key, `is not well-formed: ${error.message.replace(/\.$/, '')}`);
  }
}
