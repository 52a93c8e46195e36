import { cpSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './run.ts';

/** The pages and folders in every package, because they link to each other. `files` in package.json lists them for the npm package. */
export const DOCUMENTATION = [
  'README.md',
  'CHANGELOG.md',
  'SECURITY.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'LICENSE',
  'contrib',
  'docs',
];

/** Copies the documentation into a folder. */
export function copyDocumentation(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const name of DOCUMENTATION) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
}

/** Copies the documentation as Debian expects it: examples are in `examples/`, and the licence is in `copyright`. */
export function copyDebianDocumentation(folder: string): void {
  copyDocumentation(folder);
  renameSync(join(folder, 'contrib'), join(folder, 'examples'));
  rmSync(join(folder, 'LICENSE'));
  // For links of the pages.
  symlinkSync('examples', join(folder, 'contrib'));
  symlinkSync('copyright', join(folder, 'LICENSE'));
}
