import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, test } from 'node:test';

const SRC = join(import.meta.dirname, '../../src');

/** What each room may import from, besides itself. Arrows point down only (ARCHITECTURE.md). */
const MAY_IMPORT: Record<string, readonly string[]> = {
  base: [],
  config: ['base'],
  blobs: ['base'],
  ledger: ['base'],
  stanza: ['base'],
  metrics: ['cluster', 'base'],
  cluster: ['metrics', 'base'],
  policy: ['ledger', 'base'],
  uploads: ['policy', 'ledger', 'blobs', 'metrics', 'base'],
  messages: ['uploads', 'policy', 'ledger', 'stanza', 'metrics', 'cluster', 'base'],
  http: ['uploads', 'messages', 'stanza', 'policy', 'metrics', 'base'],
  xmpp: ['uploads', 'messages', 'stanza', 'policy', 'metrics', 'base'],
  server: [
    'xmpp',
    'http',
    'messages',
    'stanza',
    'uploads',
    'policy',
    'ledger',
    'blobs',
    'cluster',
    'metrics',
    'config',
    'base',
  ],
  doctor: ['http', 'xmpp', 'uploads', 'ledger', 'blobs', 'stanza', 'config', 'base'],
  cli: ['server', 'doctor', 'uploads', 'policy', 'cluster', 'metrics', 'config', 'base'],
  'main.ts': ['cli'],
};

interface Import {
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly target: string;
}

function roomOf(file: string): string {
  return relative(SRC, file).split('/')[0] ?? '';
}

function importsOf(file: string): Import[] {
  const found = readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+)'/g);
  return [...found].map((match) => {
    const target = join(dirname(file), match[1] ?? '');
    return {
      file: relative(SRC, file),
      from: roomOf(file),
      to: roomOf(target),
      target: relative(SRC, target),
    };
  });
}

const imports = globSync(join(SRC, '**/*.ts')).flatMap((file) => importsOf(file));

describe('the architecture', () => {
  test('has imports to look at', () => assert.ok(imports.length > 20));

  test('has only the rooms that ARCHITECTURE.md names', () => {
    const rooms = new Set(imports.map(({ from }) => from));
    assert.deepEqual(
      [...rooms].filter((room) => !(room in MAY_IMPORT)),
      [],
    );
  });

  test('has arrows that point down only', () => {
    const wrong = imports.filter(({ from, to }) => from !== to && !MAY_IMPORT[from]?.includes(to));
    assert.deepEqual(
      wrong.map(({ file, target }) => `${file} imports ${target}`),
      [],
    );
  });

  test('has doors that see no store but the plain types of its contract', () => {
    const endpoints = imports.filter(({ from }) => ['http', 'xmpp'].includes(from));
    assert.deepEqual(
      endpoints.filter(({ to }) => ['ledger', 'blobs'].includes(to)),
      [],
    );
  });

  test('has one place that names the back ends', () => {
    const contracts = ['ledger/contract/ledger.ts', 'blobs/contract.ts'];
    const named = imports.filter(
      ({ from, to, target }) =>
        ['ledger', 'blobs'].includes(to) && from !== to && from !== 'server' && !contracts.includes(target),
    );
    assert.deepEqual(
      named.map(({ file, target }) => `${file} imports ${target}`),
      [],
    );
  });

  test('has no file that grew too long to read', () => {
    const long = globSync(join(SRC, '**/*.ts'))
      .map((file) => ({ file: relative(SRC, file), lines: readFileSync(file, 'utf8').split('\n').length }))
      .filter(({ lines }) => lines > 300);
    assert.deepEqual(long, []);
  });
});
