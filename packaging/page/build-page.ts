import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ROOT } from '../release/run.ts';

const PAGE = join(ROOT, 'src/web/page');
/** Files that keep their names, because their addresses must not change. */
const STATIC = ['icon.svg', 'manifest.webmanifest'];
/** Packages whose code is part of the page. */
export const BUNDLED = ['preact', 'uqr'];
/** The browsers of the last two to three years: `light-dark()`, nested CSS, `<dialog>`. */
const TARGETS = ['chrome123', 'firefox121', 'safari17.5'];

/**
 * Builds the web page into a folder: scripts and styles with a hash of their content in the name, `index.html`, and the
 * licences of the bundled packages. The same sources give the same bytes.
 */
export async function buildPage(folder: string): Promise<void> {
  const { build } = await import('esbuild');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { metafile } = await build({
    entryPoints: {
      page: join(PAGE, 'main.tsx'),
      style: join(PAGE, 'styles/style.css'),
    },
    outdir: folder,
    entryNames: 'assets/[name]-[hash]',
    chunkNames: 'assets/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    minify: true,
    metafile: true,
    legalComments: 'none',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    target: TARGETS,
    absWorkingDir: ROOT,
    // Paths are part of the output, so they must not depend on the target of a linked `node_modules`.
    preserveSymlinks: true,
    logLevel: 'warning',
  });
  const built = Object.entries(metafile.outputs).flatMap(([path, { entryPoint }]) =>
    entryPoint === undefined ? [] : [[basename(entryPoint), `assets/${basename(path)}`] as const],
  );
  const names = new Map(built);
  const html = readFileSync(join(PAGE, 'index.html'), 'utf8')
    .replace('main.tsx', names.get('main.tsx') ?? '')
    .replace('styles/style.css', names.get('style.css') ?? '');
  writeFileSync(join(folder, 'index.html'), html);
  await buildServiceWorker(folder, build);
  for (const name of STATIC) cpSync(join(PAGE, name), join(folder, name));
  writeFileSync(join(folder, 'licenses.txt'), BUNDLED.map(licenseOf).join('\n\n'));
}

/** Builds the service worker. Its name has no hash, because browsers look for a new version at the same address. */
async function buildServiceWorker(folder: string, build: typeof import('esbuild').build): Promise<void> {
  await build({
    entryPoints: { 'share-worker': join(PAGE, 'share-worker.ts') },
    outdir: folder,
    bundle: true,
    format: 'iife',
    minify: true,
    target: TARGETS,
    logLevel: 'warning',
  });
}

function licenseOf(name: string): string {
  const modules = join(ROOT, 'node_modules', name);
  const file = readdirSync(modules).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${name} has no licence file.`);
  return `${name}\n\n${readFileSync(join(modules, file), 'utf8').trim()}\n`;
}
