import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ENTRY_POINTS } from '../../../packaging/program/build-program.ts';

const SOURCES = join(import.meta.dirname, '../../../src');

test('every module that starts as a thread or process is an entry point of the build', () => {
  const started = globSync('**/*.ts', { cwd: SOURCES }).flatMap((file) =>
    [...readFileSync(join(SOURCES, file), 'utf8').matchAll(/\bentryPoint\('([^']+)'\)/g)].map(
      ([, path]) => path,
    ),
  );
  assert.deepEqual(['main', ...started].sort(), [...ENTRY_POINTS].sort());
});

test('only one module builds addresses from its own place, which the build changes', () => {
  const users = globSync('**/*.ts', { cwd: SOURCES, exclude: ['web/page/**'] }).filter((file) =>
    readFileSync(join(SOURCES, file), 'utf8').includes('import.meta'),
  );
  // `porter reference` writes into a checkout.
  assert.deepEqual(users.sort(), ['base/package-files.ts', 'cli/commands/reference.ts']);
});
