/** `npm run build [-- FOLDER]`: builds the program and the web page for users, by default into `dist/`. */
import { resolve } from 'node:path';
import { ROOT } from '../release/run.ts';
import { buildProgram } from './build-program.ts';

await buildProgram(resolve(ROOT, process.argv[2] ?? 'dist'));
