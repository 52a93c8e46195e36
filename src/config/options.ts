import { z } from 'zod';

/** What the reference page tells of one option or section. */
export interface OptionFacts {
  /** One sentence or two, for the person who writes the file. */
  readonly doc: string;
  /** As it would stand in the file. */
  readonly preset?: unknown;
  /** What it means that the option is not there. */
  readonly absent?: string;
}

/** The facts of every option, by its schema. */
export const options = z.registry<OptionFacts>();

function documented<T extends z.ZodType>(schema: T, facts: OptionFacts): T {
  options.add(schema, facts);
  return schema;
}

/** Must be given where its section is. */
export function required<T extends z.ZodType>(schema: T, doc: string) {
  return documented(schema.nonoptional(), { doc });
}

/** `value` is read like one of the file; `absent` says what it means where it does not speak for itself. */
export function preset<T extends z.ZodType>(schema: T, value: unknown, doc: string, absent?: string) {
  const facts = { doc, preset: value, ...(absent !== undefined && { absent }) };
  return documented(schema.prefault(value as z.input<T>), facts);
}

/** Null where it is not given. */
export function optional<T extends z.ZodType>(schema: T, absent: string, doc: string) {
  return documented(schema.nullable().default(null as never), { doc, absent });
}

/** Undefined where it is not given. */
export function inherited<T extends z.ZodType>(schema: T, absent: string, doc: string) {
  return documented(schema.optional(), { doc, absent });
}

/** One value or a list of them; always a list afterwards. */
export function oneOrMany<T extends z.ZodType>(schema: T, least: 0 | 1 = 1) {
  const list = z.array(schema).min(least, 'the list is empty');
  return z.preprocess((value) => (value === undefined || Array.isArray(value) ? value : [value]), list);
}
