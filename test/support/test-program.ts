import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { buildProgram } from '../../packaging/program/build-program.ts';
import { ROOT } from './paths.ts';

const BUILDS = join(ROOT, 'test/dist');
const SOURCES = ['src/**/*.*', 'packaging/{program,page}/*', 'package-lock.json'];
/** Files that the program reads from its parent folder. */
const PACKAGE_FILES = ['package.json', 'migrations'];
const DAY_MS = 86_400_000;

/**
 * Builds the program for the tests that start it, unless the same sources were built before. Returns its `main.js`. The built program
 * is what users run, and it starts with half the processor time of the sources.
 */
export async function buildTestProgram(): Promise<string> {
  const home = join(BUILDS, digestSources());
  const main = join(home, 'dist/main.js');
  if (existsSync(main)) return main;
  mkdirSync(BUILDS, { recursive: true });
  removeOldBuilds();
  const building = mkdtempSync(join(BUILDS, 'building-'));
  await buildProgram(join(building, 'dist'));
  // Tests start it as other users too.
  chmodSync(building, 0o755);
  for (const name of PACKAGE_FILES) symlinkSync(join(ROOT, name), join(building, name));
  try {
    renameSync(building, home);
  } catch (error) {
    // Another run has built the same sources at the same time.
    rmSync(building, { recursive: true });
    if (!existsSync(main)) throw error;
  }
  return main;
}

function digestSources(): string {
  const hash = createHash('sha256');
  const paths = globSync(SOURCES, { cwd: ROOT, exclude: ['src/web/page/dist/**'] });
  for (const path of paths.toSorted()) hash.update(`${path}\0`).update(readFileSync(join(ROOT, path)));
  return hash.digest('hex').slice(0, 16);
}

/** Removes builds that are older than a day. Another run may still use newer ones. */
function removeOldBuilds(): void {
  for (const name of readdirSync(BUILDS)) {
    const build = join(BUILDS, name);
    if (Date.now() - statSync(build).mtimeMs > DAY_MS) rmSync(build, { recursive: true });
  }
}
