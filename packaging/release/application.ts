import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { normalizeModes } from './archive.ts';
import { ROOT, run } from './run.ts';

export const packageJson = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly version: string;
  readonly description: string;
};

/** Files of dependencies that no program reads: types, source maps, sources, tests, and pages for developers. Licences stay. */
const UNUSED = [
  '**/*.{d.ts,d.mts,d.cts,map,ts,mts,cts,flow,tsbuildinfo}',
  '**/{test,tests,integration,__tests__,benchmark,benchmarks,bench,example,examples,.github,coverage}/**',
  '**/{README,CHANGELOG,HISTORY,SECURITY,CONTRIBUTING,UPGRADING,readme,changelog}{,.md,.txt}',
  '**/{.eslintrc,.eslintrc.*,.prettierrc,.npmignore,.gitattributes,.travis.yml,.taprc,.editorconfig,eslint.config.*}',
];

/**
 * Writes the application into a folder: the built program with the web page, migrations and the dependencies that are not part of it
 * (`EXTERNAL` of the build). The result is the same on every machine and for every architecture, because no dependency has native code.
 */
export function stageApplication(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of ['package.json', 'package-lock.json', '.npmrc', 'migrations']) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  run('npm', ['ci', '--omit=dev', '--ignore-scripts', '--prefer-offline', '--silent'], { cwd: folder });
  run(process.execPath, [join(ROOT, 'packaging/program/run.ts'), join(folder, 'dist')]);
  removeUnused(folder);
  writeManifest(folder);
  // Some dependencies were published with executable texts.
  run('chmod', ['-R', 'a-x,a+X', folder]);
  normalizeModes(folder);
}

function removeUnused(folder: string): void {
  const modules = join(folder, 'node_modules');
  for (const pattern of UNUSED) {
    for (const file of globSync(pattern, { cwd: modules }))
      rmSync(join(modules, file), { recursive: true, force: true });
  }
  removeCommands(modules);
  for (const name of ['.bin', '.package-lock.json'])
    rmSync(join(modules, name), { recursive: true, force: true });
  run('find', [modules, '-type', 'd', '-empty', '-delete']);
  const native = globSync('**/*.node', { cwd: modules });
  if (native.length > 0)
    throw new Error(`Native code would need a build per architecture: ${native.join(', ')}`);
}

/** Deletes the command line programs of dependencies. */
function removeCommands(modules: string): void {
  for (const file of globSync('**/package.json', { cwd: modules })) {
    const folder = join(modules, file, '..');
    const { bin, main } = JSON.parse(readFileSync(join(modules, file), 'utf8')) as {
      bin?: string | Record<string, string>;
      main?: string;
    };
    const programs = typeof bin === 'string' ? [bin] : Object.values(bin ?? {});
    for (const program of programs.filter((name) => name !== main))
      rmSync(join(folder, program), { force: true });
  }
}

/** Leaves only what the program reads at run time. */
function writeManifest(folder: string): void {
  const { name, version, description, license, type } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  ) as Record<string, unknown>;
  writeFileSync(
    join(folder, 'package.json'),
    `${JSON.stringify({ name, version, description, license, type }, null, 2)}\n`,
  );
  for (const file of ['package-lock.json', '.npmrc']) rmSync(join(folder, file));
}
