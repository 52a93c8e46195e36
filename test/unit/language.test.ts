import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { FREE_RELATIVE, RETIRED_WORDS } from './retired-words.ts';

const ROOT = join(import.meta.dirname, '../..');

const SCANNED = [
  'src/**/*',
  'test/**/*.ts',
  'bench/**/*',
  'docs/**/*',
  'contrib/**/*',
  'packaging/**/*',
  '.github/**/*',
  'migrations/**/*.sql',
  '.ci/*',
  '*.md',
];
const TEXT_FILE =
  /\.(?:tsx?|css|md|sql|ya?ml|sh|conf|cfg|toml|service|lua|txt|html)$|\/(?:Dockerfile|run|Caddyfile)$/;
/** Migrations are never edited, and 0006 and tests of upgrades contain the old terms. So does the change log. The built page has foreign licences. */
const EXEMPT =
  /^migrations\/000[1-6]|^test\/unit\/ledger\/migration-0006|^test\/conformance\/ledger\/rows-of-earlier-versions|^CHANGELOG\.md$|^test\/unit\/retired-words\.ts$|^src\/web\/page\/dist\//;

const files = globSync(SCANNED, { cwd: ROOT })
  .filter((file) => TEXT_FILE.test(file) && !EXEMPT.test(file))
  .toSorted();

interface Line {
  readonly at: string;
  readonly text: string;
  /** The text with `camelCase` and `snake_case` names split into words. */
  readonly words: string;
}

const lines: Line[] = files.flatMap((file) =>
  readFileSync(join(ROOT, file), 'utf8')
    .split('\n')
    .map((text, index) => ({ at: `${file}:${index + 1}`, text, words: splitNames(text) })),
);
const sourceFiles = files.filter((file) => /^src\/.*\.ts$/.test(file));

/** Splits names: `slotApi` and `slot_api` become `slot Api` and `slot api`. */
function splitNames(text: string): string {
  return text.replace(/([a-z0-9])([A-Z])/g, '$1 $2').replaceAll('_', ' ');
}

function assertNone(found: readonly string[]): void {
  if (found.length > 0) assert.fail(`\n${found.join('\n')}`);
}

function show({ at, text }: Line): string {
  return `${at}: ${text.trim().slice(0, 120)}`;
}

describe('the words of this project', () => {
  test('are found', () => assert.ok(sourceFiles.length > 100 && lines.length > 20_000));

  for (const { pattern, use, except } of RETIRED_WORDS) {
    test(`do not include ${pattern.source} (use: ${use})`, () => {
      const insensitive = new RegExp(pattern.source, 'i');
      const found = lines.filter(
        ({ text, words }) => insensitive.test(words) && !(except && new RegExp(except, 'i').test(text)),
      );
      assertNone(found.map(show));
    });
  }

  test('begin no comment sentence with "What …" or "Who …" as its subject', () => {
    const code = lines.filter(({ at }) => /\.ts:/.test(at));
    assertNone(code.filter(({ text }) => isComment(text) && FREE_RELATIVE.test(text)).map(show));
  });

  test('give each exported type one meaning: no two files of src/ export a type of the same name', () => {
    assertNone(duplicateExports(/^export (?:declare )?(?:abstract )?(?:type|interface|class|enum) (\w+)/gm));
  });

  test('give each exported function one meaning: no two files of src/ export a function of the same name', () => {
    assertNone(duplicateExports(/^export (?:async )?function\*? (\w+)/gm));
  });

  test('cite only documents that exist', () => {
    const missing = lines.flatMap((line) =>
      [
        ...line.text.matchAll(
          /(?<![\w/.-])(?:docs|test|bench|contrib|src|migrations)\/[\w./-]*\w\.(?:md|ts|sql|json|ya?ml)\b/g,
        ),
      ]
        .filter(
          ([path]) => line.at.startsWith('src/') && isComment(line.text) && !existsSync(join(ROOT, path)),
        )
        .map(([path]) => `${line.at}: ${path}`),
    );
    assertNone(missing);
  });

  test('cite no document outside of this repository by a private name', () => {
    assertNone(
      lines.filter(({ text }) => /\b(?:FIELD(?:-2)?|CONTRACT)(?:\.md)? ?(?:§|\d)/.test(text)).map(show),
    );
  });
});

function isComment(text: string): boolean {
  return /^\s*(?:\/\/|\/\*|\*)|\s\/\/ /.test(text);
}

function duplicateExports(declaration: RegExp): string[] {
  const declared = sourceFiles.flatMap((file) =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(declaration)].map(([, name = '']) => ({
      name,
      file,
    })),
  );
  return [...Map.groupBy(declared, ({ name }) => name)]
    .filter(([, places]) => new Set(places.map(({ file }) => file)).size > 1)
    .map(([name, places]) => `${name}: ${places.map(({ file }) => file).join(', ')}`);
}
