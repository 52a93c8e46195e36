import { readFileSync } from 'node:fs';

interface Package {
  readonly version: string;
  readonly description: string;
}

// Read instead of imported: package.json is outside of the compiled folder.
const packageJson = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as Package;

/** The version in package.json. */
export const version = packageJson.version;

/** The description in package.json. */
export const description = packageJson.description;
