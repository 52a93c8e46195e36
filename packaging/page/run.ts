/**
 * `npm run build:page [-- FOLDER]`: builds the web page, by default into the folder from which a checkout serves it.
 * `--if-possible` (after `npm ci`): does nothing if the development packages are not installed.
 */
import { resolve } from 'node:path';
import { ROOT } from '../release/run.ts';
import { buildPage } from './build-page.ts';

const isOptional = process.argv.includes('--if-possible');
const [folder = 'src/web/page/dist'] = process.argv.slice(2).filter((word) => !word.startsWith('--'));

try {
  await buildPage(resolve(ROOT, folder));
} catch (error) {
  const isMissing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
  if (!isMissing || !isOptional) throw error;
  console.log('The web page is not built, because esbuild is not installed.');
}
