import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { StanzaTooComplexError, toCanonical } from '../../stanza/canonical.ts';
import { stanzaToJson } from '../../stanza/json/mapping.ts';
import { toUrlencodedForm } from '../../stanza/json/urlencoded-form.ts';
import { toXmlText } from '../../stanza/xml-text.ts';
import { firstMentioned } from '../common/accept.ts';

const RESPONSE_TYPES = [
  'application/xmpp+xml',
  'application/json',
  'application/x-www-form-urlencoded',
] as const;
export type StanzaMediaType = (typeof RESPONSE_TYPES)[number];

/** Selects the type of the response: the first one in `Accept`, else the type of the request. Weights are ignored. */
export function chooseStanzaMediaType(
  accept: string | undefined,
  contentType: string | undefined,
): StanzaMediaType {
  return firstMentioned(RESPONSE_TYPES, `${accept ?? ''},${contentType ?? ''}`) ?? 'application/xmpp+xml';
}

/** Formats one stanza, or several within `<xmpp/>`. Throws `Refusal` (`server_refused`) if one is too complex. */
export function formatStanzas(output: StanzaMediaType, stanzas: readonly Element[]): string {
  try {
    return format(output, stanzas);
  } catch (error) {
    if (error instanceof StanzaTooComplexError)
      throw new Refusal('server_refused', { text: TOO_COMPLEX, cause: error });
    throw error;
  }
}

const TOO_COMPLEX = 'The answer of the XMPP server is nested too deeply to be converted.';

function format(output: StanzaMediaType, stanzas: readonly Element[]): string {
  const [only, ...more] = stanzas;
  const root = only !== undefined && more.length === 0 ? toCanonical(only) : wrapInXmpp(stanzas);
  if (output === 'application/json') return JSON.stringify(stanzaToJson(root));
  if (output === 'application/x-www-form-urlencoded') return toUrlencodedForm(stanzaToJson(root));
  return toXmlText(root.toString());
}

function wrapInXmpp(stanzas: readonly Element[]): Element {
  const root = xml('xmpp');
  root.append(...stanzas.map(toCanonical));
  return root;
}
