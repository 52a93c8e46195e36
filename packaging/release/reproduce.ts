/**
 * `npm run release:reproduce [-- PART…] [--arch ARCHITECTURE]`: builds the last commit again in another environment, and compares every
 * file with the one in `release/`. Uses a clone at another path with a separate `npm ci`, another umask, time zone and language. The parts
 * are those of `npm run release`. Exit code 1 if a file differs.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { digestFile, ROOT, run } from './run.ts';
import { listPackages } from './unpack.ts';

const RELEASE = join(ROOT, 'release');
const folder = mkdtempSync(join(tmpdir(), 'porter-reproduce-'));
const clone = join(folder, 'a folder with another name');
const out = join(folder, 'out');
/** Downloads are copied from the first build. Their digests are checked, so a new download would be the same. */
const cache = join(folder, 'cache');

try {
  process.umask(0o077);
  run('git', ['clone', '--quiet', '--no-hardlinks', ROOT, clone]);
  run('git', ['checkout', '--quiet', run('git', ['rev-parse', 'HEAD']).trim()], { cwd: clone });
  mkdirSync(cache);
  if (existsSync(join(RELEASE, 'cache'))) copyCache();
  run('npm', ['ci', '--silent', '--prefer-offline', '--ignore-scripts'], { cwd: clone });
  // The scripts of npm need this Node.js. With `npm run`, it is already in the PATH.
  const path = `${dirname(process.execPath)}:${process.env.PATH}`;
  const env = { PATH: path, TZ: 'Pacific/Chatham', LANG: 'tr_TR.UTF-8' };
  const words = process.argv.slice(2);
  run(
    process.execPath,
    [join(clone, 'packaging/release/release.ts'), '--out', out, '--cache', cache, ...words],
    { cwd: clone, env },
  );
  process.exitCode = (await compare()) ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Copies the cache without the systems of the installation tests. */
function copyCache(): void {
  cpSync(join(RELEASE, 'cache'), cache, {
    recursive: true,
    filter: (path) => !path.startsWith(join(RELEASE, 'cache/roots')),
  });
}

async function compare(): Promise<boolean> {
  let isSame = true;
  for (const name of listPackages(out)) {
    const [first, second] = await Promise.all([RELEASE, out].map((parent) => digest(join(parent, name))));
    isSame &&= first === second;
    console.log(`${first === second ? 'same     ' : 'DIFFERENT'} ${second}  ${name}`);
  }
  return isSame;
}

async function digest(path: string): Promise<string> {
  return existsSync(path) ? await digestFile(path) : 'missing';
}
