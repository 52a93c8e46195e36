import { Refusal } from '../../base/errors.ts';
import { parseFileSize } from '../../policy/file-size.ts';

/** Parameters of a call, from a query, a form or a JSON object. */
export type SlotApiParameters = Readonly<Record<string, unknown>>;

/** Parameters of a slot. */
export interface SlotParameters {
  readonly jid: string;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly type: string | null;
  readonly purpose: string | undefined;
}

/** Parses the parameters of a slot. Throws `Refusal` (`bad_request`) that names the wrong parameter. */
export function parseSlotParameters(parameters: SlotApiParameters): SlotParameters {
  return {
    jid: required(parameters, 'jid'),
    name: parseName(parameters),
    size: parseSizeParameter(first(parameters, 'size')),
    type: parseTextParameter(parameters, 'content_type') || parseTextParameter(parameters, 'type') || null,
    purpose: parseTextParameter(parameters, 'purpose') || undefined,
  };
}

/** Accepts a name that has only white space: the slot gets a cleaned name, as for every other name. */
function parseName(parameters: SlotApiParameters): string {
  const name = parseTextParameter(parameters, 'name');
  if (name === undefined || name === '') throw missing('name', name);
  return name;
}

export function parseJidParameter(parameters: SlotApiParameters): string {
  return required(parameters, 'jid');
}

/** Parses a positive whole number: decimal digits, or a number from JSON. */
export function parseSizeParameter(value: unknown): number {
  if (value === undefined || value === '') throw missing('size', value);
  const size = typeof value === 'string' || typeof value === 'number' ? parseFileSize(value) : NOT_A_NUMBER;
  if (typeof size === 'number') return size;
  throw new Refusal('bad_request', { text: `The parameter "size" is not accepted. ${size.problem}` });
}

const NOT_A_NUMBER = { problem: 'It must be a number or digits.' };

/** Returns a parameter, or undefined if it is missing or null. Throws `Refusal` (`bad_request`) if it is not text. */
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

/** The first value of a repeated parameter counts (docs/protocols.md, "Slot API of ejabberd and django"). */
function first(parameters: SlotApiParameters, name: string): unknown {
  const value = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
  return Array.isArray(value) ? value[0] : value;
}

function missing(name: string, value: unknown): Refusal {
  const problem = value === undefined ? 'is missing' : 'is empty';
  return new Refusal('bad_request', { text: `The parameter "${name}" ${problem}.` });
}
