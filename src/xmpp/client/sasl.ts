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

/**
 * Authenticates on a stream with these features. `isPlainAllowed` permits the mechanism PLAIN (RFC 4616), which sends the
 * password itself. Rejects with a `SaslError`, a `ScramError` or the error of the stream.
 */
export async function authenticate(
  stream: XmlStream,
  features: Element,
  credentials: SaslCredentials,
  isPlainAllowed: boolean,
): Promise<void> {
  const offer = readOffer(features);
  const names = new Set(offer.mechanisms.map((name) => name.toUpperCase()));
  // Without the list of XEP-0440, a server may know only bindings that this connection does not have.
  const binding = stream.channelBinding(offer.bindingTypes);
  for (const [name, digest] of SCRAM_MECHANISMS) {
    const isBound = binding !== undefined && names.has(`${name}-PLUS`);
    if (isBound || names.has(name)) {
      const client = createScramClient(digest, credentials, {
        offer,
        binding: isBound ? binding : undefined,
      });
      return await authenticateScram(stream, isBound ? `${name}-PLUS` : name, client);
    }
  }
  if (names.has('PLAIN') && isPlainAllowed) return await authenticatePlain(stream, credentials);
  throw new SaslError('no-mechanism', `the server offers ${[...names].join(', ') || 'none'}`);
}

function readOffer(features: Element): ScramOffer {
  const mechanisms = features.getChild('mechanisms', SASL)?.getChildElements() ?? [];
  const bindings = features.getChild('sasl-channel-binding', CHANNEL_BINDING)?.getChildElements() ?? [];
  return {
    mechanisms: mechanisms.map((mechanism) => mechanism.getText().trim()),
    bindingTypes: bindings.flatMap(({ attrs: { type } }) => (type ? [type] : [])),
  };
}

async function authenticateScram(stream: XmlStream, name: string, client: ScramClient): Promise<void> {
  write(stream, 'auth', client.clientFirst, name);
  write(stream, 'response', await client.respond(decode(await expect(stream, 'challenge'))));
  const last = await stream.next();
  if (last.is('success', SASL)) return client.verifyServerFinal(decode(last));
  // Some servers send their signature as one more challenge instead of with the success.
  if (!last.is('challenge', SASL)) throw toError(last);
  client.verifyServerFinal(decode(last));
  write(stream, 'response', '');
  await expect(stream, 'success');
}

async function authenticatePlain(stream: XmlStream, { name, rawPassword }: SaslCredentials): Promise<void> {
  write(stream, 'auth', `\0${name}\0${rawPassword}`, 'PLAIN');
  await expect(stream, 'success');
}

function write(stream: XmlStream, name: 'auth' | 'response', text: string, mechanism?: string): void {
  const content = Buffer.from(text).toString('base64');
  stream.write(xml(name, { xmlns: SASL, mechanism }, content).toString());
}

async function expect(stream: XmlStream, name: 'challenge' | 'success'): Promise<Element> {
  const element = await stream.next();
  if (!element.is(name, SASL)) throw toError(element);
  return element;
}

function toError(element: Element): Error {
  if (!element.is('failure', SASL)) {
    return new ScramError(`the server sent an unexpected <${element.getName()}/>`);
  }
  const [condition] = element.getChildElements();
  return new SaslError(condition?.getName() ?? 'not-authorized', element.getChild('text')?.getText());
}

function decode(element: Element): string {
  return Buffer.from(element.getText(), 'base64').toString();
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
