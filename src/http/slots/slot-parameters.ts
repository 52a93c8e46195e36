import { Refusal } from '../../base/errors.ts';

/** Parameters of a call, from a query, a form or JSON. */
export type SlotApiParameters = Readonly<Record<string, unknown>>;

/** What a call of the slot API asks for. */
export interface SlotParameters {
  readonly jid: string;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly type: string | null;
  readonly purpose: string | undefined;
}

/** Reads the parameters of a slot; throws `Refusal` naming the one that is wrong. */
export function parseSlotParameters(parameters: SlotApiParameters): SlotParameters {
  return {
    jid: required(parameters, 'jid'),
    name: required(parameters, 'name'),
    size: parseSizeParameter(first(parameters, 'size')),
    type: parseTextParameter(parameters, 'content_type') || parseTextParameter(parameters, 'type') || null,
    purpose: parseTextParameter(parameters, 'purpose') || undefined,
  };
}

export function parseJidParameter(parameters: SlotApiParameters): string {
  return required(parameters, 'jid');
}

/** Plain decimal digits above 0 and nothing else; as a number too, where JSON brought one. */
export function parseSizeParameter(value: unknown): number {
  if (value === undefined || value === '') throw missing('size', value);
  const plain = typeof value === 'string' && /^[1-9]\d{0,15}$/.test(value) ? Number(value) : value;
  if (Number.isSafeInteger(plain) && (plain as number) > 0) return plain as number;
  throw new Refusal('bad_request', {
    text: 'The parameter "size" must be a whole number of bytes above 0, in plain digits.',
  });
}

export function parseTextParameter(parameters: SlotApiParameters, name: string): string | undefined {
  const value = first(parameters, name);
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string')
    throw new Refusal('bad_request', { text: `The parameter "${name}" must be text.` });
  return value;
}

function required(parameters: SlotApiParameters, name: string): string {
  const value = parseTextParameter(parameters, name);
  if (value === undefined || value.trim() === '') throw missing(name, value);
  return value;
}

/** Of a repeated parameter the first counts (FIELD 5.6). */
function first(parameters: SlotApiParameters, name: string): unknown {
  const value = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
  return Array.isArray(value) ? value[0] : value;
}

function missing(name: string, value: unknown): Refusal {
  const fault = value === undefined ? 'is missing' : 'is empty';
  return new Refusal('bad_request', { text: `The parameter "${name}" ${fault}.` });
}
