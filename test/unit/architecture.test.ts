import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, test } from 'node:test';

const SRC = join(import.meta.dirname, '../../src');
const MAX_FILES_PER_FOLDER = 20;
const MAX_LINES_PER_FILE = 300;
/** A shorter file with a single importer belongs into that importer. */
const MIN_LINES_WITH_ONE_IMPORTER = 40;
/** Folders of plug-ins: one file per command, payload format, import source, JSON field or ad-hoc command, of any length. */
const PLUG_INS = ['cli/commands', 'messages/hooks/formats', 'uploads/import', 'stanza/json', 'xmpp/commands'];
/** Short files that stay apart, each with its reason. */
const SHORT_FILES: Record<string, string> = {
  'cli/lib/thread-pool.ts': 'runs before all other imports',
  'cli/lib/v8-heap.ts': 'runs before all other imports',
  'ledger/postgres/open.ts': 'loaded only if the ledger is in PostgreSQL',
  'server/start-workers.ts':
    'loaded only with more than one worker; server/ may import the cluster, cli/ may not',
};

/** Which folders each folder of src/ may import from, besides itself (ARCHITECTURE.md). */
const ALLOWED_IMPORTS: Record<string, readonly string[]> = {
  base: [],
  config: ['base'],
  blobs: ['base'],
  ledger: ['base'],
  stanza: ['base'],
  scanner: ['base'],
  metrics: ['base'],
  cluster: ['metrics', 'base'],
  policy: ['ledger', 'base'],
  uploads: ['policy', 'ledger', 'blobs', 'scanner', 'metrics', 'base'],
  messages: ['uploads', 'policy', 'ledger', 'stanza', 'metrics', 'cluster', 'base'],
  http: ['uploads', 'messages', 'stanza', 'policy', 'metrics', 'base'],
  xmpp: ['uploads', 'messages', 'stanza', 'policy', 'metrics', 'base'],
  web: ['http', 'uploads', 'messages', 'stanza', 'policy', 'ledger', 'metrics', 'base'],
  server: [
    'web',
    'xmpp',
    'http',
    'messages',
    'stanza',
    'uploads',
    'policy',
    'ledger',
    'blobs',
    'scanner',
    'cluster',
    'metrics',
    'config',
    'base',
  ],
  doctor: ['http', 'xmpp', 'uploads', 'ledger', 'blobs', 'scanner', 'stanza', 'config', 'base'],
  cli: ['web', 'server', 'doctor', 'uploads', 'policy', 'cluster', 'metrics', 'config', 'base'],
  'main.ts': ['cli'],
};

/** A browser runs the page. It imports only types of the API. */
const PAGE = 'web/page/';
const files = globSync('**/*.ts', { cwd: SRC })
  .filter((file) => !file.startsWith(PAGE))
  .toSorted();
const sources = new Map(files.map((file) => [file, readFileSync(join(SRC, file), 'utf8')]));
/** The files that each file imports: static, dynamic and type imports. */
const imports = new Map(files.map((file) => [file, importsOf(file)]));

function importsOf(file: string): string[] {
  const found = (sources.get(file) ?? '').matchAll(/(?:from|import\(|^import)\s*'(\.[^']+)'/gm);
  return [...new Set([...found].map((match) => normalize(join(dirname(file), match[1] ?? ''))))];
}

function topFolder(file: string): string {
  return file.split('/')[0] ?? '';
}

/** All imports between different top folders, as `importer -> imported`. */
function crossImports(allow: (from: string, to: string, target: string) => boolean): string[] {
  return files.flatMap((file) =>
    (imports.get(file) ?? [])
      .filter((target) => topFolder(file) !== topFolder(target))
      .filter((target) => !allow(topFolder(file), topFolder(target), target))
      .map((target) => `${file} -> ${target}`),
  );
}

/** Groups of files that import each other (Tarjan's strongly connected components). */
function importCycles(): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[][] = [];
  const visit = (file: string): number => {
    const own = index.size;
    index.set(file, own);
    low.set(file, own);
    stack.push(file);
    for (const target of imports.get(file) ?? []) {
      const reached = index.has(target) ? (stack.includes(target) ? index.get(target) : own) : visit(target);
      low.set(file, Math.min(low.get(file) ?? own, reached ?? own));
    }
    if (low.get(file) === own) {
      const cycle = stack.splice(stack.indexOf(file));
      if (cycle.length > 1) cycles.push(cycle.toSorted());
    }
    return low.get(file) ?? own;
  };
  for (const file of files) if (!index.has(file)) visit(file);
  return cycles;
}

describe('the source code', () => {
  test('is found', () => assert.ok(files.length > 100));

  test('has only the top folders that ARCHITECTURE.md names', () => {
    const folders = new Set(files.map(topFolder));
    assert.deepEqual(
      [...folders].filter((folder) => !(folder in ALLOWED_IMPORTS)),
      [],
    );
  });

  test('imports only from lower layers', () => {
    const wrong = crossImports((from, to) => ALLOWED_IMPORTS[from]?.includes(to) ?? false);
    assert.deepEqual(wrong, []);
  });

  test('has no import cycle, type imports included', () => assert.deepEqual(importCycles(), []));

  test('names the storage back ends in server/stores.ts only', () => {
    const isContract = (target: string) => /^ledger\/contract\/|^blobs\/contract\.ts$/.test(target);
    const wrong = crossImports(
      (_, to, target) => !['ledger', 'blobs'].includes(to) || isContract(target),
    ).filter((line) => !line.startsWith('server/stores.ts '));
    assert.deepEqual(wrong, []);
  });

  test('uses of the cluster only the relay contract in messages/', () => {
    const wrong = crossImports(
      (from, to, target) => from !== 'messages' || to !== 'cluster' || target === 'cluster/relay.ts',
    );
    assert.deepEqual(wrong, []);
  });

  test('uses of web/ only the reference of the API in cli/', () => {
    const wrong = crossImports(
      (from, to, target) => from !== 'cli' || to !== 'web' || target === 'web/api/api-reference.ts',
    );
    assert.deepEqual(wrong, []);
  });

  test('uses of http/ only the parts that all endpoints share in web/', () => {
    const wrong = crossImports(
      (from, to, target) => from !== 'web' || to !== 'http' || target.startsWith('http/common/'),
    );
    assert.deepEqual(wrong, []);
  });

  test(`has at most ${MAX_FILES_PER_FOLDER} files in a folder`, () => {
    const folders = Map.groupBy(files, (file) => dirname(file));
    const large = [...folders]
      .filter(([, inside]) => inside.length > MAX_FILES_PER_FOLDER)
      .map(([folder, inside]) => `${folder}: ${inside.length}`);
    assert.deepEqual(large, []);
  });

  test(`has no file of more than ${MAX_LINES_PER_FILE} lines`, () => {
    assert.deepEqual(
      files.filter((file) => lineCount(file) > MAX_LINES_PER_FILE),
      [],
    );
  });

  test(`has no file of less than ${MIN_LINES_WITH_ONE_IMPORTER} lines with a single importer`, () => {
    const fragments = files.filter((file) => {
      if (lineCount(file) >= MIN_LINES_WITH_ONE_IMPORTER || file in SHORT_FILES) return false;
      if (PLUG_INS.includes(dirname(file))) return false;
      return files.filter((other) => imports.get(other)?.includes(file)).length === 1;
    });
    assert.deepEqual(fragments, []);
  });
});

function lineCount(file: string): number {
  return (sources.get(file) ?? '').split('\n').length - 1;
}
