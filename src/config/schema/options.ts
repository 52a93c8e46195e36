import * as z from 'zod';

/** The description of one option or section, for the reference page. */
export interface OptionInfo {
  /** One or two sentences for the author of the file. */
  readonly doc: string;
  /** In the form of the file. */
  readonly defaultValue?: unknown;
  /** The effect of leaving the option out. */
  readonly whenAbsent?: string;
}

/** The description of each option, by its schema. */
export const options = z.registry<OptionInfo>();

function documented<T extends z.ZodType>(schema: T, facts: OptionInfo): T {
  options.add(schema, facts);
  return schema;
}

/** A required option of its section. */
export function required<T extends z.ZodType>(schema: T, doc: string) {
  return documented(schema.nonoptional(), { doc });
}

/** An option with a default in the form of the file. `absent` explains a default that needs it. */
export function withDefault<T extends z.ZodType>(schema: T, value: unknown, doc: string, absent?: string) {
  const facts = { doc, defaultValue: value, ...(absent !== undefined && { whenAbsent: absent }) };
  return documented(schema.prefault(value as z.input<T>), facts);
}

/** An option that is null if absent. */
export function optional<T extends z.ZodType>(schema: T, whenAbsent: string, doc: string) {
  return documented(schema.nullable().default(null as never), { doc, whenAbsent });
}

/** An option that is undefined if absent, and then inherited from elsewhere. */
export function inherited<T extends z.ZodType>(schema: T, whenAbsent: string, doc: string) {
  return documented(schema.optional(), { doc, whenAbsent });
}

/** One value or a list; parsed to a list. */
export function oneOrMany<T extends z.ZodType>(schema: T, least: 0 | 1 = 1) {
  const list = z.array(schema).min(least, 'the list is empty');
  return z.preprocess((value) => (value === undefined || Array.isArray(value) ? value : [value]), list);
}
