import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { normalizeModes } from './archive.ts';
import { type Architecture, architectures } from './node-runtime.ts';
import { ROOT, run } from './run.ts';

export const packageJson = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly name: string;
  readonly version: string;
  readonly description: string;
};

/** Files of dependencies that are not read at run time: types, source maps, sources, tests, pages for developers. Licences are kept. */
const UNUSED = [
  '**/*.{d.ts,d.mts,d.cts,map,ts,mts,cts,flow,tsbuildinfo}',
  '**/{test,tests,integration,__tests__,benchmark,benchmarks,bench,example,examples,.github,.husky,coverage}/**',
  '@img/*/lib/glib-2.0/**',
  '**/{README,CHANGELOG,HISTORY,SECURITY,CONTRIBUTING,UPGRADING,readme,changelog}{,.md,.txt}',
  '**/{.eslintrc,.eslintrc.*,.prettierrc,.npmignore,.gitattributes,.travis.yml,.taprc,.editorconfig,eslint.config.*}',
];

/** Folders of the application, by architecture. */
export type Applications = Readonly<Record<Architecture, string>>;

/**
 * Writes the application into a folder below `work` for each architecture: the built program with the web page, migrations and the
 * dependencies that are not bundled (`EXTERNAL` of the build). The folders differ only in native code: npm installs the code for the
 * architecture. The result is the same on every machine.
 */
export function stageApplications(work: string): Applications {
  const compiled = join(work, 'compiled');
  run(process.execPath, [join(ROOT, 'packaging/program/run.ts'), compiled]);
  const staged = Object.fromEntries(
    Object.entries(architectures).map(([architecture, cpu]) => {
      const folder = join(work, `application-${architecture}`);
      stageApplication(folder, compiled, cpu);
      return [architecture, folder];
    }),
  );
  rmSync(compiled, { recursive: true });
  return staged as Applications;
}

/** Writes the application for one architecture. `cpu`: the npm name of the architecture. */
function stageApplication(folder: string, compiled: string, cpu: string): void {
  mkdirSync(folder, { recursive: true });
  for (const name of ['package.json', 'package-lock.json', '.npmrc', 'migrations']) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  const platform = ['--os=linux', `--cpu=${cpu}`, '--libc=glibc'];
  run('npm', ['ci', '--omit=dev', '--ignore-scripts', '--prefer-offline', '--silent', ...platform], {
    cwd: folder,
  });
  cpSync(compiled, join(folder, 'dist'), { recursive: true });
  removeUnused(folder);
  writeManifest(folder);
  // Some dependencies contain text files that are executable.
  run('chmod', ['-R', 'a-x,a+X', folder]);
  normalizeModes(folder);
}

/** Files that are kept: only their table has the licences of the libraries inside libvips. */
const LICENSES_OF_LIBVIPS = /^@img\/sharp-libvips-[^/]+\/README\.md$/;

function removeUnused(folder: string): void {
  const modules = join(folder, 'node_modules');
  for (const pattern of UNUSED) {
    for (const file of globSync(pattern, { cwd: modules }).filter((name) => !LICENSES_OF_LIBVIPS.test(name)))
      rmSync(join(modules, file), { recursive: true, force: true });
  }
  removeCommands(modules);
  for (const name of ['.bin', '.package-lock.json'])
    rmSync(join(modules, name), { recursive: true, force: true });
  run('find', [modules, '-type', 'd', '-empty', '-delete']);
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

/** Reduces the manifest to the fields that the program reads at run time. */
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
