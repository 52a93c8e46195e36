import { readFileSync } from 'node:fs';

interface Package {
  readonly version: string;
  readonly description: string;
}

// Read, not imported: it lies outside of what the build compiles.
const own = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as Package;

/** As in package.json. */
export const version = own.version;

/** The one line that says what Porter is. */
export const description = own.description;
