import * as z from 'zod';
import { type OptionInfo, options } from './options.ts';
import { type ValueTypeInfo, valueTypes } from './value-types.ts';

/** The structure of a schema, without defaults and other wrappers. `orOne`: a single value needs no list. */
export type Structure =
  | { readonly form: 'section'; readonly keys: Readonly<Record<string, z.ZodType>> }
  | { readonly form: 'list'; readonly item: z.ZodType; readonly orOne: boolean }
  | { readonly form: 'map'; readonly value: z.ZodType }
  | { readonly form: 'value'; readonly facts: ValueTypeInfo };

/** Returns the structure of a schema below its defaults, optional values and transformations. */
export function getStructure(schema: z.ZodType, orOne = false): Structure {
  const facts = valueTypes.get(schema);
  if (facts) return { form: 'value', facts };
  if (schema instanceof z.ZodObject)
    return { form: 'section', keys: schema.shape as Record<string, z.ZodType> };
  if (schema instanceof z.ZodArray) return { form: 'list', item: schema.element as z.ZodType, orOne };
  if (schema instanceof z.ZodRecord) return { form: 'map', value: schema.valueType as z.ZodType };
  if (schema instanceof z.ZodPipe) {
    const from = schema.in as z.ZodType;
    // `oneOrMany`: a transformation in front of the list.
    return from instanceof z.ZodTransform
      ? getStructure(schema.out as z.ZodType, true)
      : getStructure(from, orOne);
  }
  if (isWrapper(schema)) return getStructure(schema.unwrap() as z.ZodType, orOne);
  throw new Error(`Unknown schema type in the config: ${schema.type}`);
}

function isWrapper(schema: z.ZodType) {
  return (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNonOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  );
}

/** Returns the description of an option. Undefined for schemas that are not options. */
export function getOptionInfo(schema: z.ZodType): OptionInfo | undefined {
  return options.get(schema);
}

export function isSecret(schema: z.ZodType): boolean {
  const structure = getStructure(schema);
  if (structure.form === 'list') return isSecret(structure.item);
  return structure.form === 'value' && structure.facts.secret === true;
}

/** Returns the keys that a section may have in the file: its options, and `x_file` for each secret `x`. */
export function listFileKeys(keys: Readonly<Record<string, z.ZodType>>): string[] {
  return Object.entries(keys).flatMap(([key, schema]) => (isSecret(schema) ? [key, `${key}_file`] : [key]));
}

/** Returns the structure at a path (numbers are list indexes), or undefined if the schema has no such path. */
export function structureAt(root: z.ZodType, path: readonly PropertyKey[]): Structure | undefined {
  let structure = getStructure(root);
  for (const segment of path) {
    const next = stepInto(structure, segment);
    if (!next) return undefined;
    structure = next;
  }
  return structure;
}

function stepInto(structure: Structure, segment: PropertyKey): Structure | undefined {
  if (structure.form === 'list') return getStructure(structure.item);
  if (structure.form === 'map') return getStructure(structure.value);
  if (structure.form === 'value') return undefined;
  const schema = structure.keys[String(segment)];
  return schema && getStructure(schema);
}

/** Returns the paths of all keys below a schema, such as `access[].bytes_per.period`. */
export function listKeyPaths(root: z.ZodType, prefix = ''): string[] {
  const structure = getStructure(root);
  if (structure.form === 'list')
    return listKeyPaths(structure.item, structure.orOne ? prefix : `${prefix}[]`);
  if (structure.form !== 'section') return [];
  return Object.entries(structure.keys).flatMap(([key, schema]) => {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    return [path, ...listKeyPaths(schema, path)];
  });
}
