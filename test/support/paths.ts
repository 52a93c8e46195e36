import { join } from 'node:path';

/** The folder of the checkout. */
export const ROOT = join(import.meta.dirname, '../..');

/** The program: the build that `test/run.ts` has made, or the sources for a test file that runs without it. */
export const MAIN = process.env.PORTER_TEST_PROGRAM ?? join(ROOT, 'src/main.ts');
/** The example configs and snippets that the package ships. */
export const CONTRIB = join(ROOT, 'contrib');
