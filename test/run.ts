/**
 * `npm test [-- FILE|FOLDER|WORD…]`: installs missing peers where possible and runs the tests.
 * A word selects the files whose path contains it. A word that no path contains selects tests by name.
 */
import { existsSync, globSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { installMissingPeers } from './real/peers/install-peers.ts';
import { buildTestProgram } from './support/test-program.ts';

const TESTS = import.meta.dirname;

// Every test file and every server that it starts loads the same modules. The cache spares a third of their CPU time.
process.env.NODE_COMPILE_CACHE ??= join(TESTS, '../node_modules/.cache/test-modules');

interface Choice {
  readonly files: readonly string[];
  /** Empty = all tests of these files. */
  readonly names: readonly RegExp[];
}

const all = globSync('**/*.test.ts', { cwd: TESTS }).map((file) => join(TESTS, file));

function choose(words: readonly string[]): Choice {
  const files = new Set<string>();
  const names: RegExp[] = [];
  for (const word of words) {
    const found = filesFor(word);
    for (const file of found) files.add(file);
    if (found.length === 0) names.push(new RegExp(word.replace(/[^\w\s]/g, '\\$&'), 'i'));
  }
  return { files: (files.size === 0 ? all : [...files]).toSorted(), names };
}

function filesFor(word: string): readonly string[] {
  if (!existsSync(word)) return all.filter((file) => relative(TESTS, file).includes(word));
  const path = resolve(word);
  return statSync(path).isDirectory() ? all.filter((file) => file.startsWith(`${path}/`)) : [path];
}

function runTests({ files, names }: Choice): void {
  // Node counts a file without tests as passed; here it is a failure.
  const silent = new Set(files);
  // Tests often wait for other programs, so one file more than there are processors runs at the same time.
  const concurrency = availableParallelism() + 1;
  const tests = run({
    files: [...files],
    concurrency,
    ...(names.length > 0 && { testNamePatterns: [...names] }),
  });
  tests.on('test:fail', () => {
    process.exitCode = 1;
  });
  tests.on('test:summary', ({ file, success }) => {
    if (file !== undefined) silent.delete(file);
    if (!success) process.exitCode = 1;
  });
  tests.on('end', () => {
    if (names.length > 0) return;
    for (const file of silent) {
      console.error(`${relative(process.cwd(), file)} has no tests, or ended before it reported one.`);
      process.exitCode = 1;
    }
  });
  tests.compose(new spec()).pipe(process.stdout);
}

const choice = choose(process.argv.slice(2));
installMissingPeers();
// To test the sources instead, for example for their coverage: PORTER_TEST_PROGRAM=src/main.ts.
if (choice.files.some((file) => relative(TESTS, file).startsWith('real/')))
  process.env.PORTER_TEST_PROGRAM = resolve(process.env.PORTER_TEST_PROGRAM ?? (await buildTestProgram()));
runTests(choice);
