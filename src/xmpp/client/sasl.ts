import xml, { type Element } from '@xmpp/xml';
import { createScramClient, type ScramCredentials, type ScramDigest, ScramError } from './scram.ts';
import type { XmlStream } from './xml-stream.ts';

const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl';

/** The server would not let us in: `condition` as RFC 6120 §6.5 has it, or `no-mechanism` where we speak none of its. */
export class SaslError extends Error {
  readonly condition: string;

  constructor(condition: string, text = '') {
    super(text || condition);
    this.condition = condition;
  }
}

/** The best first. A server that was taken over could offer only the last one, so TLS decides whether that one is used. */
const SCRAMS: readonly (readonly [string, ScramDigest])[] = [
  ['SCRAM-SHA-256', 'sha256'],
  ['SCRAM-SHA-1', 'sha1'],
];

/** What somebody logs in with. */
export interface SaslCredentials extends ScramCredentials {
  /** As it was given: the server prepares it itself where it gets it whole. */
  readonly rawPassword: string;
}

/**
 * Authenticates on a stream with these features. `mayShow` = the password may go over it as it is (RFC 4616).
 * Rejects with a `SaslError`, a `ScramError` or what befell the stream.
 */
export async function authenticate(
  stream: XmlStream,
  features: Element,
  user: SaslCredentials,
  mayShow: boolean,
): Promise<void> {
  const offered = features.getChild('mechanisms', SASL)?.getChildElements() ?? [];
  const names = new Set(offered.map((mechanism) => mechanism.getText().trim().toUpperCase()));
  for (const [name, digest] of SCRAMS) {
    if (names.has(name)) return scram(stream, name, digest, user);
  }
  if (names.has('PLAIN') && mayShow) return plain(stream, user);
  throw new SaslError('no-mechanism', `the server offers ${[...names].join(', ') || 'nothing'}`);
}

async function scram(
  stream: XmlStream,
  name: string,
  digest: ScramDigest,
  user: ScramCredentials,
): Promise<void> {
  const client = createScramClient(digest, user);
  say(stream, 'auth', client.clientFirst, name);
  say(stream, 'response', await client.respond(decode(await hear(stream, 'challenge'))));
  const last = await stream.next();
  if (last.is('success', SASL)) return client.verifyServerFinal(decode(last));
  // Some servers send their proof as one more challenge.
  if (!last.is('challenge', SASL)) throw faultOf(last);
  client.verifyServerFinal(decode(last));
  say(stream, 'response', '');
  await hear(stream, 'success');
}

async function plain(stream: XmlStream, { name, rawPassword }: SaslCredentials): Promise<void> {
  say(stream, 'auth', `\0${name}\0${rawPassword}`, 'PLAIN');
  await hear(stream, 'success');
}

function say(stream: XmlStream, name: 'auth' | 'response', text: string, mechanism?: string): void {
  const content = Buffer.from(text).toString('base64');
  stream.write(xml(name, { xmlns: SASL, mechanism }, content).toString());
}

async function hear(stream: XmlStream, name: 'challenge' | 'success'): Promise<Element> {
  const element = await stream.next();
  if (!element.is(name, SASL)) throw faultOf(element);
  return element;
}

function faultOf(element: Element): Error {
  if (!element.is('failure', SASL))
    return new ScramError(`the server said <${element.getName()}/> in between`);
  const [condition] = element.getChildElements();
  return new SaslError(condition?.getName() ?? 'not-authorized', element.getChild('text')?.getText());
}

function decode(element: Element): string {
  return Buffer.from(element.getText(), 'base64').toString();
}
