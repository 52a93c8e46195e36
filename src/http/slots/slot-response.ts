import { Refusal } from '../../base/errors.ts';

/** The forms that an answer of the slot API can have. */
export type SlotResponseType = 'text/plain' | 'application/json' | 'application/xml';

export interface SlotUrls {
  readonly put: string;
  readonly get: string;
}

const NAMESPACE = 'urn:xmpp:http:upload:0';

/** Two lines with nothing behind them, which is all that ejabberd understands (FIELD 5.4); JSON; the XEP's own `<slot/>`. */
export function formatSlot(output: SlotResponseType, { put, get }: SlotUrls): string {
  if (output === 'application/json') return JSON.stringify({ put, get });
  if (output === 'application/xml') {
    return `<slot xmlns='${NAMESPACE}'><put url='${put}'/><get url='${get}'/></slot>`;
  }
  return `${put}\n${get}`;
}

/** Bytes, 0 for no limit. */
export function formatMaxSize(output: SlotResponseType, bytes: number): string {
  if (output === 'application/json') return JSON.stringify({ max_size: bytes });
  if (output === 'application/xml') return `<max-file-size xmlns='${NAMESPACE}'>${bytes}</max-file-size>`;
  return String(bytes);
}

const OUTPUTS: Readonly<Record<string, SlotResponseType>> = {
  'text/plain': 'text/plain',
  'application/json': 'application/json',
  'application/xml': 'application/xml',
};

/** By the parameter `output`, else by the `Accept` header, else plain text. */
export function chooseSlotResponseType(
  output: string | undefined,
  accept: string | undefined,
): SlotResponseType {
  if (output === undefined || output === '')
    return accept === undefined ? 'text/plain' : acceptedOutput(accept);
  const chosen = Object.hasOwn(OUTPUTS, output) ? OUTPUTS[output] : undefined;
  if (chosen) return chosen;
  const known = Object.keys(OUTPUTS).join(', ');
  throw new Refusal('bad_request', { text: `The parameter "output" must be one of ${known}.` });
}

const ACCEPTED: Readonly<Record<string, SlotResponseType>> = {
  ...OUTPUTS,
  'text/xml': 'application/xml',
  'text/*': 'text/plain',
  '*/*': 'text/plain',
};

/** The form that is liked best; the first of equals. */
function acceptedOutput(accept: string): SlotResponseType {
  let best: SlotResponseType = 'text/plain';
  let liking = 0;
  for (const range of accept.split(',')) {
    const [name = '', ...rest] = range.split(';').map((part) => part.trim().toLowerCase());
    const q = Number(rest.find((part) => part.startsWith('q='))?.slice(2) ?? 1);
    const output = Object.hasOwn(ACCEPTED, name) ? ACCEPTED[name] : undefined;
    if (output && q > liking) [best, liking] = [output, q];
  }
  return best;
}
