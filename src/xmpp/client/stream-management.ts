import xml, { type Element } from '@xmpp/xml';
import type { XmlStream } from './xml-stream.ts';

/** XEP-0198. */
const STREAM_MANAGEMENT = 'urn:xmpp:sm:3';
const COUNTERS = 2 ** 32;

/**
 * Acks of stream management (XEP-0198 §4): both sides count the stanzas that they have handled. Streams are not resumed, because
 * Porter does not keep the password that a new login needs.
 */
export const enableElement = (): Element => xml('enable', STREAM_MANAGEMENT);
export const ackRequest = (): Element => xml('r', STREAM_MANAGEMENT);
/** `handledStanzas`: number of stanzas of the server that were handled since acks were turned on. */
export const ackElement = (handledStanzas: number): Element =>
  xml('a', { xmlns: STREAM_MANAGEMENT, h: String(handledStanzas % COUNTERS) });

export const isAckRequest = (element: Element): boolean => element.is('r', STREAM_MANAGEMENT);
export const isAck = (element: Element): boolean => element.is('a', STREAM_MANAGEMENT);

/** Returns the number of stanzas that the server has handled, or NaN for an invalid ack. */
export function readAck({ attrs: { h = '' } }: Element): number {
  return /^\d{1,10}$/.test(h) ? Number(h) : Number.NaN;
}

/** Returns true if acks are among the features that a login can turn on (XEP-0386 §3). */
export function hasAcks(inline: Element | undefined): boolean {
  const features = inline?.getChildren('feature') ?? [];
  return features.some(({ attrs }) => attrs.var === STREAM_MANAGEMENT);
}

/** Returns true if this element, such as the answer to a login, says that acks are on. */
export function hasEnabledAcks(element: Element | undefined): boolean {
  return element?.getChild('enabled', STREAM_MANAGEMENT) !== undefined;
}

/** Turns on acks on a stream with a bound resource, if its features offer them. Returns whether they are on. */
export async function enableAcks(stream: XmlStream, features: Element): Promise<boolean> {
  if (features.getChild('sm', STREAM_MANAGEMENT) === undefined) return false;
  stream.write(enableElement().toString());
  for (;;) {
    const answer = await stream.next();
    if (answer.is('enabled', STREAM_MANAGEMENT)) return true;
    if (answer.is('failed', STREAM_MANAGEMENT)) return false;
  }
}
