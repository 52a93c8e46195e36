import { Refusal } from '../../base/errors.ts';
import { preferredType } from '../common/accept.ts';

/** Media types of the answers. */
export type SlotResponseType = 'text/plain' | 'application/json' | 'application/xml';

export interface SlotUrls {
  readonly put: string;
  readonly get: string;
}

const NAMESPACE = 'urn:xmpp:http:upload:0';

/**
 * Returns the two URLs as text, JSON or XML. Text is two lines without a trailing newline, because ejabberd makes any further
 * character part of a URL (docs/protocols.md, "Slot API of ejabberd and django"). XML is the `<slot/>` of XEP-0363 §5.
 */
export function formatSlot(output: SlotResponseType, { put, get }: SlotUrls): string {
  if (output === 'application/json') return JSON.stringify({ put, get });
  if (output === 'application/xml') {
    return `<slot xmlns='${NAMESPACE}'><put url='${put}'/><get url='${get}'/></slot>`;
  }
  return `${put}\n${get}`;
}

/** Returns the largest file size in bytes, 0 for no limit. */
export function formatMaxSize(output: SlotResponseType, bytes: number): string {
  if (output === 'application/json') return JSON.stringify({ max_size: bytes });
  if (output === 'application/xml') return `<max-file-size xmlns='${NAMESPACE}'>${bytes}</max-file-size>`;
  return String(bytes);
}

const OUTPUT_TYPES: Readonly<Record<string, SlotResponseType>> = {
  'text/plain': 'text/plain',
  'application/json': 'application/json',
  'application/xml': 'application/xml',
};

/** Selects the type by the parameter `output`, else by `Accept`, else plain text. Throws `Refusal` for another `output`. */
export function chooseSlotResponseType(
  output: string | undefined,
  accept: string | undefined,
): SlotResponseType {
  if (output === undefined || output === '')
    return preferredType(ACCEPTED_TYPES, accept ?? '') ?? 'text/plain';
  const chosen = Object.hasOwn(OUTPUT_TYPES, output) ? OUTPUT_TYPES[output] : undefined;
  if (chosen) return chosen;
  const known = Object.keys(OUTPUT_TYPES).join(', ');
  throw new Refusal('bad_request', { text: `The parameter "output" must be one of ${known}.` });
}

const ACCEPTED_TYPES: Readonly<Record<string, SlotResponseType>> = {
  ...OUTPUT_TYPES,
  'text/xml': 'application/xml',
  'text/*': 'text/plain',
  '*/*': 'text/plain',
};
