import xml, { type Element } from '@xmpp/xml';
import {
  createScramClient,
  type ScramClient,
  type ScramCredentials,
  type ScramDigest,
  ScramError,
  type ScramOffer,
} from './scram.ts';
import type { XmlStream } from './xml-stream.ts';

const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl';
/** XEP-0440. */
const CHANNEL_BINDING = 'urn:xmpp:sasl-cb:0';

/** The login failed. `condition` is the one of RFC 6120 §6.5, or `no-mechanism` if no offered mechanism is supported. */
export class SaslError extends Error {
  readonly condition: string;

  constructor(condition: string, text = '') {
    super(text || condition);
    this.condition = condition;
  }
}

/** Strongest first. */
const SCRAM_MECHANISMS: readonly (readonly [string, ScramDigest])[] = [
  ['SCRAM-SHA-512', 'sha512'],
  ['SCRAM-SHA-256', 'sha256'],
  ['SCRAM-SHA-1', 'sha1'],
];

export interface SaslCredentials extends ScramCredentials {
  /** The password without SASLprep, for PLAIN: the server prepares it itself. */
  readonly rawPassword: string;
}

/** How the messages of a login are sent: by SASL (RFC 6120 §6) or by SASL2 (XEP-0388). */
export interface SaslProfile {
  readonly namespace: string;
  /** Returns the offers of the server in its stream features. */
  readOffer(features: Element): ScramOffer;
  /** Creates the first element of the client. `text` is Base64. */
  createStart(mechanism: string, text: string): Element;
  /** Returns the Base64 text of the success: the proof of the server, if it sends one. */
  readFinalText(success: Element): string;
}

/** RFC 6120 §6. */
const saslProfile: SaslProfile = {
  namespace: SASL,
  readOffer: (features) => ({
    mechanisms: mechanismNames(features.getChild('mechanisms', SASL)),
    bindingTypes: readBindingTypes(features),
  }),
  createStart: (mechanism, text) => xml('auth', { xmlns: SASL, mechanism }, text),
  readFinalText: (success) => success.getText(),
};

/** Returns the names of the mechanisms that an element of the stream features lists. */
export function mechanismNames(list: Element | undefined): string[] {
  return (list?.getChildren('mechanism') ?? []).map((mechanism) => mechanism.getText().trim());
}

/** Returns the types of channel binding that the server supports (XEP-0440). */
export function readBindingTypes(features: Element): string[] {
  const bindings = features.getChild('sasl-channel-binding', CHANNEL_BINDING)?.getChildElements() ?? [];
  return bindings.flatMap(({ attrs: { type } }) => (type ? [type] : []));
}

/** Returns true if the server offers a mechanism that Porter supports. */
export function offersMechanism({ mechanisms }: ScramOffer): boolean {
  const supported = [...SCRAM_MECHANISMS.flatMap(([name]) => [name, `${name}-PLUS`]), 'PLAIN'];
  return mechanisms.some((name) => supported.includes(name.toUpperCase()));
}

/**
 * Authenticates on a stream with these features. `isPlainAllowed` permits the mechanism PLAIN (RFC 4616), which sends the
 * password itself. Returns the `<success/>`. Rejects with a `SaslError`, a `ScramError` or the error of the stream.
 */
export async function authenticate(
  stream: XmlStream,
  features: Element,
  credentials: SaslCredentials,
  isPlainAllowed: boolean,
  profile: SaslProfile = saslProfile,
): Promise<Element> {
  const offer = profile.readOffer(features);
  const exchange = new SaslExchange(stream, profile);
  const names = new Set(offer.mechanisms.map((name) => name.toUpperCase()));
  // A server that sends no list (XEP-0440) may support only bindings that this connection does not have: none is used.
  const binding = stream.channelBinding(offer.bindingTypes);
  for (const [name, digest] of SCRAM_MECHANISMS) {
    const isBound = binding !== undefined && names.has(`${name}-PLUS`);
    if (isBound || names.has(name)) {
      const client = createScramClient(digest, credentials, {
        offer,
        binding: isBound ? binding : undefined,
      });
      return await authenticateScram(exchange, isBound ? `${name}-PLUS` : name, client);
    }
  }
  if (names.has('PLAIN') && isPlainAllowed) {
    exchange.start('PLAIN', `\0${credentials.name}\0${credentials.rawPassword}`);
    return await exchange.expect('success');
  }
  throw new SaslError('no-mechanism', `the server offers ${[...names].join(', ') || 'none'}`);
}

async function authenticateScram(
  exchange: SaslExchange,
  name: string,
  client: ScramClient,
): Promise<Element> {
  exchange.start(name, client.clientFirst);
  const challenge = await exchange.expect('challenge');
  exchange.respond(await client.respond(decode(challenge.getText())));
  const last = await exchange.next();
  if (exchange.is(last, 'success')) {
    client.verifyServerFinal(exchange.readFinal(last));
    return last;
  }
  // Some servers send their signature as one more challenge instead of with the success.
  if (!exchange.is(last, 'challenge')) throw exchange.toError(last);
  client.verifyServerFinal(decode(last.getText()));
  exchange.respond('');
  return await exchange.expect('success');
}

/** The messages of one login. */
class SaslExchange {
  readonly #stream: XmlStream;
  readonly #profile: SaslProfile;

  constructor(stream: XmlStream, profile: SaslProfile) {
    this.#stream = stream;
    this.#profile = profile;
  }

  start(mechanism: string, text: string): void {
    this.#stream.write(this.#profile.createStart(mechanism, encode(text)).toString());
  }

  respond(text: string): void {
    const { namespace } = this.#profile;
    this.#stream.write(xml('response', { xmlns: namespace }, encode(text)).toString());
  }

  next(): Promise<Element> {
    return this.#stream.next();
  }

  is(element: Element, name: string): boolean {
    return element.is(name, this.#profile.namespace);
  }

  async expect(name: 'challenge' | 'success'): Promise<Element> {
    const element = await this.next();
    if (!this.is(element, name)) throw this.toError(element);
    return element;
  }

  readFinal(success: Element): string {
    return decode(this.#profile.readFinalText(success));
  }

  toError(element: Element): Error {
    if (this.is(element, 'continue')) {
      return new ScramError('the server asks for a further step, such as a second factor');
    }
    if (!this.is(element, 'failure')) {
      return new ScramError(`the server sent an unexpected <${element.getName()}/>`);
    }
    const [condition] = element.getChildElements();
    return new SaslError(condition?.getName() ?? 'not-authorized', element.getChild('text')?.getText());
  }
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}

function decode(text: string): string {
  return Buffer.from(text, 'base64').toString();
}

// RFC 3454 tables B.1 (mapped to nothing) and C.1.2 (non-ASCII spaces).
const MAPPED_TO_NOTHING =
  /\u034f|[\u180b-\u180d\ufe00-\ufe0f]|[\u00ad\u1806\u200b\u2060\ufeff]|\u200c|\u200d/g;
const MAPPED_TO_SPACE = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g;
// RFC 3454 tables C.2 to C.8: control, private use, surrogate and non-character code points.
const PROHIBITED = /[\p{Cc}\p{Co}\p{Cs}\p{Noncharacter_Code_Point}\u2028\u2029\ufffc\ufffd]/u;

/**
 * Returns a password after SASLprep (RFC 4013): mapping, NFKC and the check for prohibited characters. Returns undefined
 * for a prohibited or empty password. The rules on bidirectional text and unassigned code points are left to the server,
 * which applies them itself.
 */
export function preparePassword(password: string): string | undefined {
  const prepared = password.replace(MAPPED_TO_SPACE, ' ').replace(MAPPED_TO_NOTHING, '').normalize('NFKC');
  return prepared === '' || PROHIBITED.test(prepared) ? undefined : prepared;
}
