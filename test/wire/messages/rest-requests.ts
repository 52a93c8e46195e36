import { ROMEO, TOKEN } from '../../support/test-rest-server.ts';

/** Headers of requests by Romeo with a body of one type. */
export const JSON_TYPE = { authorization: ROMEO, 'content-type': 'application/json' };
export const XML_TYPE = { authorization: ROMEO, 'content-type': 'application/xmpp+xml' };
export const TEXT_TYPE = { authorization: ROMEO, 'content-type': 'text/plain; charset=utf-8' };
export const FORM_TYPE = { authorization: ROMEO, 'content-type': 'application/x-www-form-urlencoded' };
/** Headers of a JSON request with the token of a component's address. */
export const BEARER = { authorization: `bearer ${TOKEN.token}`, 'content-type': 'application/json' };

/** Returns the stanza without its random id. Stanzas without an id get one. */
export const withoutId = (stanza: string | undefined) => stanza?.replace(/ id="[0-9a-z]{26}"/, '');
/** Options of a POST request. */
export const post = (headers: Record<string, string>, body: string | Buffer) => ({
  method: 'POST',
  headers,
  body,
});
