import * as z from 'zod';

/** The description of one option or section, for the reference page. */
export interface OptionInfo {
  /** One or two sentences for the admin. */
  readonly doc: string;
  /** As it is written in the file. */
  readonly defaultValue?: unknown;
  /** The effect if the option is not given. */
  readonly whenAbsent?: string;
}

/** The description of each option, by its schema. */
export const options = z.registry<OptionInfo>();

function documented<T extends z.ZodType>(schema: T, facts: OptionInfo): T {
  options.add(schema, facts);
  return schema;
}

/** Declares an option that its section must have. */
export function required<T extends z.ZodType>(schema: T, doc: string) {
  return documented(schema.nonoptional(), { doc });
}

/** Declares an option with a default. `value` is written as in the file. `absent` describes a default that is not clear by itself. */
export function withDefault<T extends z.ZodType>(schema: T, value: unknown, doc: string, absent?: string) {
  const facts = { doc, defaultValue: value, ...(absent !== undefined && { whenAbsent: absent }) };
  return documented(schema.prefault(value as z.input<T>), facts);
}

/** Declares an option that is null if it is not given. */
export function optional<T extends z.ZodType>(schema: T, whenAbsent: string, doc: string) {
  return documented(schema.nullable().default(null as never), { doc, whenAbsent });
}

/** Declares an option that is undefined if it is not given, because another option then applies. */
export function inherited<T extends z.ZodType>(schema: T, whenAbsent: string, doc: string) {
  return documented(schema.optional(), { doc, whenAbsent });
}

/** Accepts one value or a list, and returns a list. `least`: the smallest number of entries. */
export function oneOrMany<T extends z.ZodType>(schema: T, least: 0 | 1 = 1) {
  const list = z.array(schema).min(least, 'the list is empty');
  return z.preprocess((value) => (value === undefined || Array.isArray(value) ? value : [value]), list);
}
