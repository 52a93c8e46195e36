import type { Element } from '@xmpp/xml';
import { toCanonicalWithin } from '../canonical.ts';
import { NotWellFormedError, parseElement } from '../parse.ts';
import { addChild, type Field, findChild, invalidValue, requireJsonText } from './fields.ts';

const XHTML_IM = 'http://jabber.org/protocol/xhtml-im';
const XHTML = 'http://www.w3.org/1999/xhtml';

/** XHTML-IM (XEP-0071): the whole `<body>…</body>` as text, without its namespace. */
export const htmlField: Field = {
  read(message) {
    const element = findChild(message, 'html', XHTML_IM);
    const body = element && findChild(element, 'body', XHTML);
    return body && toCanonicalWithin(body, XHTML).toString();
  },
  write(message, value, key) {
    addChild(message, 'html', XHTML_IM).append(parseBody(requireJsonText(value, key), key));
  },
};

function parseBody(given: string, key: string): Element {
  const [body, ...more] = parse(given, key).children;
  if (body === undefined || typeof body === 'string' || more.length > 0 || !body.is('body', XHTML)) {
    throw invalidValue(key, 'must be one <body>…</body>');
  }
  return toCanonicalWithin(body, XHTML_IM);
}

function parse(given: string, key: string): Element {
  try {
    return parseElement(`<html xmlns='${XHTML}'>${given.trim()}</html>`);
  } catch (error) {
    if (!(error instanceof NotWellFormedError)) throw error;
    throw invalidValue(key, `is not well-formed: ${error.message.replace(/\.$/, '')}`);
  }
}
