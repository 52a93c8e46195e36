import { Refusal } from '../base/errors.ts';

/** Parameters of a call, from a query, a form or JSON. */
export type Parameters = Readonly<Record<string, unknown>>;

/** What a call of the slot API asks for. */
export interface SlotQuery {
  readonly jid: string;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly type: string | null;
  readonly purpose: string | undefined;
}

/** Reads the parameters of a slot; throws `Refusal` naming the one that is wrong. */
export function readSlotQuery(parameters: Parameters): SlotQuery {
  return {
    jid: required(parameters, 'jid'),
    name: required(parameters, 'name'),
    size: readSize(first(parameters, 'size')),
    type: text(parameters, 'content_type') || text(parameters, 'type') || null,
    purpose: text(parameters, 'purpose') || undefined,
  };
}

export function readJid(parameters: Parameters): string {
  return required(parameters, 'jid');
}

/** Plain decimal digits above 0 and nothing else; as a number too, where JSON brought one. */
export function readSize(value: unknown): number {
  if (value === undefined || value === '') throw missing('size', value);
  const plain = typeof value === 'string' && /^[1-9]\d{0,15}$/.test(value) ? Number(value) : value;
  if (Number.isSafeInteger(plain) && (plain as number) > 0) return plain as number;
  throw new Refusal('bad_request', {
    text: 'The parameter "size" must be a whole number of bytes above 0, in plain digits.',
  });
}

export function text(parameters: Parameters, name: string): string | undefined {
  const value = first(parameters, name);
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string')
    throw new Refusal('bad_request', { text: `The parameter "${name}" must be text.` });
  return value;
}

function required(parameters: Parameters, name: string): string {
  const value = text(parameters, name);
  if (value === undefined || value.trim() === '') throw missing(name, value);
  return value;
}

/** Of a repeated parameter the first counts (FIELD 5.6). */
function first(parameters: Parameters, name: string): unknown {
  const value = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
  return Array.isArray(value) ? value[0] : value;
}

function missing(name: string, value: unknown): Refusal {
  const fault = value === undefined ? 'is missing' : 'is empty';
  return new Refusal('bad_request', { text: `The parameter "${name}" ${fault}.` });
}
