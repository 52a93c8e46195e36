import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { canonical, TooDeep } from '../../messages/canonical.ts';
import { fitForXml } from '../../messages/characters.ts';
import { toForm } from '../../messages/json/form.ts';
import { toJson } from '../../messages/json/mapping.ts';

const OUTPUTS = ['application/xmpp+xml', 'application/json', 'application/x-www-form-urlencoded'] as const;
export type Output = (typeof OUTPUTS)[number];

/** The form of an answer: the one that is named first in `Accept`, else the one of the body; weights do not count. */
export function chooseOutput(accept: string | undefined, contentType: string | undefined): Output {
  return firstNamed(OUTPUTS, `${accept ?? ''},${contentType ?? ''}`) ?? 'application/xmpp+xml';
}

/** Of several types the one whose name comes first. */
export function firstNamed<T extends string>(types: readonly T[], text: string): T | undefined {
  const places = types.map((type) => text.indexOf(type));
  const first = Math.min(...places.filter((place) => place >= 0));
  return types[places.indexOf(first)];
}

/** One stanza, or several within `<xmpp/>`. Refuses with `server_refused` what is nested beyond all measure. */
export function writeStanzas(output: Output, stanzas: readonly Element[]): string {
  try {
    return write(output, stanzas);
  } catch (error) {
    if (error instanceof TooDeep) throw new Refusal('server_refused', { text: TOO_DEEP, cause: error });
    throw error;
  }
}

const TOO_DEEP = 'What came back is nested too deep to be passed on.';

function write(output: Output, stanzas: readonly Element[]): string {
  const [only, ...more] = stanzas;
  const whole = only !== undefined && more.length === 0 ? canonical(only) : within(stanzas);
  if (output === 'application/json') return JSON.stringify(toJson(whole));
  if (output === 'application/x-www-form-urlencoded') return toForm(toJson(whole));
  return fitForXml(whole.toString());
}

function within(stanzas: readonly Element[]): Element {
  const whole = xml('xmpp');
  whole.append(...stanzas.map(canonical));
  return whole;
}
