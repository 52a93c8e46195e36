import type * as z from 'zod';
import type { Config } from './load.ts';
import { configSchema } from './schema/config-schema.ts';
import { getStructure } from './schema/structure.ts';

const HIDDEN = '(secret)';

/** Returns the options in effect without secrets and passwords: sizes in bytes, periods in milliseconds, as plain data. */
export function visibleOptions(config: Config): Record<string, unknown> {
  return hideSecrets(configSchema, config) as Record<string, unknown>;
}

function hideSecrets(schema: z.ZodType, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  const structure = getStructure(schema);
  switch (structure.form) {
    case 'section':
      return Object.fromEntries(
        Object.entries(structure.keys).map(([key, inner]) => [
          key,
          hideSecrets(inner, (value as Readonly<Record<string, unknown>>)[key]),
        ]),
      );
    case 'list':
      return Array.isArray(value) ? value.map((entry) => hideSecrets(structure.item, entry)) : value;
    case 'map':
      return Object.fromEntries(
        Object.entries(value).map(([key, inner]) => [key, hideSecrets(structure.value, inner)]),
      );
    case 'value':
      if (structure.facts.secret) return HIDDEN;
      return structure.facts.mayContainPassword ? hidePasswords(value) : value;
  }
}

/** The value of a query parameter such as `password` or `access_token`. */
const SECRET_PARAMETER = /([?&][^=&#]*(?:password|secret|token)[^=&#]*=)[^&#]*/gi;

/** Replaces the user information of URLs, and query parameters that may be secrets. pg accepts `?password=` in the URL of the ledger. */
function hidePasswords(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, inner: unknown) =>
      typeof inner === 'string'
        ? inner.replace(/\/\/[^/@]*@/g, `//${HIDDEN}@`).replace(SECRET_PARAMETER, `$1${HIDDEN}`)
        : inner,
    ),
  );
}
