import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';
import { buildPage } from '../page/build-page.ts';
import { ROOT } from '../release/run.ts';
import { namedBuiltins, unusedModules } from './unused-modules.ts';

/** The modules that start as a process or thread. All except `main` are started by `entryPoint(…)` in `src/`. */
export const ENTRY_POINTS = ['main', 'ledger/sqlite/worker', 'uploads/thumbnails/picture-process'];

/** Packages that stay in `node_modules`, because they have native code or are not installed. */
export const EXTERNAL = ['sharp', 'pg-native'];

/** A package whose code is part of the program. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

/**
 * Builds the program into a folder: `main.js`, the other entry points, `chunks/` that they share or load later, and the web page.
 * Dependencies are bundled, except `EXTERNAL`. `packages.json` lists them (`BundledPackage`), and `licenses.txt` has their licences
 * (docs/decisions/0035). The same sources give the same bytes.
 */
export async function buildProgram(folder: string): Promise<void> {
  const { build } = await import('esbuild');
  rmSync(folder, { recursive: true, force: true });
  const { metafile } = await build({
    entryPoints: Object.fromEntries(ENTRY_POINTS.map((name) => [name, join(ROOT, 'src', `${name}.ts`)])),
    outdir: folder,
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    external: EXTERNAL,
    plugins: [namedBuiltins, unusedModules],
    // Names stay readable in stacks, and a line in a stack has only a few statements.
    minifyWhitespace: true,
    lineLimit: 160,
    legalComments: 'none',
    metafile: true,
    absWorkingDir: ROOT,
    // Paths are part of the output, so they must not depend on the target of a linked `node_modules`.
    preserveSymlinks: true,
    logLevel: 'warning',
  });
  chmodSync(join(folder, 'main.js'), 0o755);
  const packages = bundledPackages(metafile);
  writeFileSync(join(folder, 'packages.json'), `${JSON.stringify(packages.map(readPackage), null, 1)}\n`);
  writeFileSync(join(folder, 'licenses.txt'), packages.map(licenseOf).join('\n'));
  await buildPage(join(folder, 'web/page/dist'));
}

/** Returns the folders in `node_modules` whose code is part of the program, sorted. */
function bundledPackages({ inputs }: Metafile): string[] {
  const folders = Object.keys(inputs).flatMap(
    (path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
  );
  return [...new Set(folders)].toSorted();
}

/** Reads the manifest of an installed package. `folder`: relative to the root of the checkout. */
export function readPackage(folder: string): BundledPackage {
  const file = readFileSync(join(ROOT, folder, 'package.json'), 'utf8');
  const { name, version, license } = JSON.parse(file) as BundledPackage;
  if (typeof license !== 'string') throw new Error(`${name} names no licence in its package.json.`);
  return { name, version, license };
}

function licenseOf(folder: string): string {
  const { name, version, license } = readPackage(folder);
  const file = readdirSync(join(ROOT, folder)).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file === undefined ? '' : `\n${readFileSync(join(ROOT, folder, file), 'utf8').trim()}\n`;
  return `${name} ${version} (${license})\n${text}`;
}
