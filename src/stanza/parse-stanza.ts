import type { Element } from '@xmpp/xml';
import { Refusal } from '../base/errors.ts';
import { NotWellFormedError, parseElement } from './parse.ts';

/**
 * One element out of a body of `application/xmpp+xml`; what kind of stanza it is, and whether it is one, is not
 * looked at. Refuses with `bad_request`.
 */
export function parseStanza(text: string): Element {
  try {
    return parseElement(text);
  } catch (error) {
    if (!(error instanceof NotWellFormedError)) throw error;
    throw new Refusal('bad_request', { text: `The stanza cannot be read. ${error.message}`, cause: error });
  }
}
