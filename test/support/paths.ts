import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** The program, run from source. */
export const MAIN = join(ROOT, 'src/main.ts');
/** The example configs and snippets that the package ships. */
export const CONTRIB = join(ROOT, 'contrib');
