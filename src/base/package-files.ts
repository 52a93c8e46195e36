import { readFileSync } from 'node:fs';

/*
 * The files of the package, found from this module. The paths are the same in a checkout (`src/base/`) and in the built program
 * (`dist/chunks/`), because both folders are two levels below the package.
 */

/** Returns the URL of a file or folder of the package, for example `migrations/`. */
export function packageFile(path: string): URL {
  return new URL(`../../${path}`, import.meta.url);
}

/** Returns the URL of a file or folder beside the modules, for example `web/page/dist/`. */
export function programFile(path: string): URL {
  return new URL(`../${path}`, import.meta.url);
}

/**
 * Returns the URL of a module that starts as a thread or process: a path in `src/` without an ending, for example
 * `ledger/sqlite/worker`. Each is an entry point of the build (`packaging/program/build-program.ts`).
 */
export function entryPoint(path: string): URL {
  return programFile(path + import.meta.url.slice(import.meta.url.lastIndexOf('.')));
}

const manifest = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as {
  readonly version: string;
  readonly description: string;
};

/** The version in package.json. */
export const version = manifest.version;

/** The description in package.json. */
export const description = manifest.description;
