import { z } from 'zod';

/** What the reference page tells of one option or section. */
export interface OptionInfo {
  /** One sentence or two, for the person who writes the file. */
  readonly doc: string;
  /** As it would stand in the file. */
  readonly defaultValue?: unknown;
  /** What it means that the option is not there. */
  readonly whenAbsent?: string;
}

/** The facts of every option, by its schema. */
export const options = z.registry<OptionInfo>();

function documented<T extends z.ZodType>(schema: T, facts: OptionInfo): T {
  options.add(schema, facts);
  return schema;
}

/** Must be given where its section is. */
export function required<T extends z.ZodType>(schema: T, doc: string) {
  return documented(schema.nonoptional(), { doc });
}

/** `value` is read like one of the file; `absent` says what it means where it does not speak for itself. */
export function withDefault<T extends z.ZodType>(schema: T, value: unknown, doc: string, absent?: string) {
  const facts = { doc, defaultValue: value, ...(absent !== undefined && { whenAbsent: absent }) };
  return documented(schema.prefault(value as z.input<T>), facts);
}

/** Null where it is not given. */
export function optional<T extends z.ZodType>(schema: T, whenAbsent: string, doc: string) {
  return documented(schema.nullable().default(null as never), { doc, whenAbsent });
}

/** Undefined where it is not given. */
export function inherited<T extends z.ZodType>(schema: T, whenAbsent: string, doc: string) {
  return documented(schema.optional(), { doc, whenAbsent });
}

/** One value or a list of them; always a list afterwards. */
export function oneOrMany<T extends z.ZodType>(schema: T, least: 0 | 1 = 1) {
  const list = z.array(schema).min(least, 'the list is empty');
  return z.preprocess((value) => (value === undefined || Array.isArray(value) ? value : [value]), list);
}
