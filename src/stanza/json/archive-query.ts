import type { JsonObject, JsonValue } from '../../base/json.ts';
import { isJsonObject } from './fields.ts';

const FILTERS = ['with', 'start', 'end', 'before-id', 'after-id', 'ids'];
const PAGING = ['after', 'before', 'max'];

/**
 * Expands a short archive query (`{with, start, max, …}`) to the data form and result set of XEP-0313. A query that
 * has a form already is returned unchanged.
 */
export function expandArchiveQuery(archive: JsonValue): JsonValue {
  if (!isJsonObject(archive) || isJsonObject(archive.form)) return archive;
  const fields = FILTERS.flatMap((name) => {
    const values = valuesOf(name, archive[name] ?? null);
    return values.length === 0 ? [] : [{ var: name, values }];
  });
  const page = pick(archive, PAGING);
  return {
    ...archive,
    ...(fields.length > 0 && { form: { type: 'submit', fields: [formType, ...fields] } }),
    ...(Object.keys(page).length > 0 && { page }),
  };
}

const formType = { var: 'FORM_TYPE', type: 'hidden', values: ['urn:xmpp:mam:2'] };

function valuesOf(name: string, given: JsonValue): readonly JsonValue[] {
  if (given === null || given === '') return [];
  if (Array.isArray(given)) return given;
  return name === 'ids' && typeof given === 'string' ? given.split(',').filter(Boolean) : [given];
}

function pick(from: JsonObject, names: readonly string[]): JsonObject {
  const entries = names.flatMap((name): [string, JsonValue][] => {
    const value = Object.hasOwn(from, name) ? from[name] : undefined;
    return value === undefined || value === null ? [] : [[name, value]];
  });
  return Object.fromEntries(entries);
}
