import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { StanzaTooDeepError, toCanonical } from '../../stanza/canonical.ts';
import { stanzaToJson } from '../../stanza/json/mapping.ts';
import { toUrlencodedForm } from '../../stanza/json/urlencoded-form.ts';
import { toXmlText } from '../../stanza/xml-text.ts';

const OUTPUTS = ['application/xmpp+xml', 'application/json', 'application/x-www-form-urlencoded'] as const;
export type StanzaMediaType = (typeof OUTPUTS)[number];

/** The form of an answer: the one that is named first in `Accept`, else the one of the body; weights do not count. */
export function chooseStanzaMediaType(
  accept: string | undefined,
  contentType: string | undefined,
): StanzaMediaType {
  return firstMentioned(OUTPUTS, `${accept ?? ''},${contentType ?? ''}`) ?? 'application/xmpp+xml';
}

/** Of several types the one whose name comes first. */
export function firstMentioned<T extends string>(types: readonly T[], text: string): T | undefined {
  const places = types.map((type) => text.indexOf(type));
  const first = Math.min(...places.filter((place) => place >= 0));
  return types[places.indexOf(first)];
}

/** One stanza, or several within `<xmpp/>`. Refuses with `server_refused` what is nested beyond all measure. */
export function formatStanzas(output: StanzaMediaType, stanzas: readonly Element[]): string {
  try {
    return write(output, stanzas);
  } catch (error) {
    if (error instanceof StanzaTooDeepError)
      throw new Refusal('server_refused', { text: TOO_DEEP, cause: error });
    throw error;
  }
}

const TOO_DEEP = 'What came back is nested too deep to be passed on.';

function write(output: StanzaMediaType, stanzas: readonly Element[]): string {
  const [only, ...more] = stanzas;
  const whole = only !== undefined && more.length === 0 ? toCanonical(only) : within(stanzas);
  if (output === 'application/json') return JSON.stringify(stanzaToJson(whole));
  if (output === 'application/x-www-form-urlencoded') return toUrlencodedForm(stanzaToJson(whole));
  return toXmlText(whole.toString());
}

function within(stanzas: readonly Element[]): Element {
  const whole = xml('xmpp');
  whole.append(...stanzas.map(toCanonical));
  return whole;
}
