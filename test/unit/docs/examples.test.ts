import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { createInitPlan } from '../../../src/cli/lib/init-plan.ts';
import { formatPorterConfig } from '../../../src/cli/lib/init-porter-config.ts';
import { configSchema } from '../../../src/config/schema/config-schema.ts';
import { listConfigProblems } from '../config/parse-test-config.ts';

/** Sections that an excerpt may leave out, because another page or an earlier example of the page has them. */
const BASE: Readonly<Record<string, unknown>> = {
  public_url: 'https://upload.example.org',
  component: { jid: 'upload.example.org', server: '127.0.0.1:5347', secret: 'a-secret-for-the-examples' },
  access: [{ jid: '@example\\.org$' }],
};

/** The examples of this page continue the first one; `hooks.test.ts` checks them together. */
const TESTED_ELSEWHERE = ['docs/hooks.md'];

/** Has every variable that an example may name. */
const ENVIRONMENT = new Proxy({}, { get: () => 'a-value-for-the-examples', has: () => true });

const SECTIONS = new Set(Object.keys(configSchema.shape));

interface Example {
  readonly page: string;
  readonly line: number;
  readonly value: Readonly<Record<string, unknown>>;
}

/** The YAML blocks of all pages that begin with a section of `porter.yml`. Others are for XMPP servers and other programs. */
function findExamples(): Example[] {
  return globSync(['README.md', 'docs/**/*.md'], { exclude: TESTED_ELSEWHERE }).flatMap((page) => {
    const text = readFileSync(page, 'utf8');
    return [...text.matchAll(/^( *)```ya?ml\n([\s\S]*?)^ *```$/gm)].flatMap((match) => {
      const value: unknown = parse(withoutFiles(match[2] ?? '', match[1] ?? ''));
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
      if (!Object.keys(value).some((key) => SECTIONS.has(key))) return [];
      // The example is a part of `ejabberd.yml`.
      if ('modules' in value) return [];
      const line = text.slice(0, match.index).split('\n').length;
      return [{ page, line, value: value as Record<string, unknown> }];
    });
  });
}

/** Removes the indentation of a list item, and gives secrets in place of files that do not exist here. */
function withoutFiles(block: string, indentation: string): string {
  let count = 0;
  return block
    .replaceAll(new RegExp(`^${indentation}`, 'gm'), '')
    .replaceAll(
      /\b(\w*(?:secret|token))_file: (?:\$\{\w+\}|[^\s,}])+/g,
      (_, key: string) => `${key}: secret-${++count}-for-the-examples`,
    );
}

describe('examples of the docs', () => {
  const examples = findExamples();

  test('are found', () => assert.ok(examples.length > 15));

  for (const { page, line, value } of examples) {
    test(`${page}:${line} passes porter check`, () => {
      const problems = listConfigProblems(JSON.stringify({ ...BASE, ...value }), { env: ENVIRONMENT });
      assert.deepEqual(problems, []);
    });
  }
});

test('examples of web servers name the folder of files that porter init configures', () => {
  const plan = createInitPlan('prosody', ['example.org'], { dataFolder: '/var/lib/porter' });
  const { storage } = parse(formatPorterConfig(plan)) as { storage: { blobs: string } };
  const named = globSync('contrib/*/*.conf').flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    return [...text.matchAll(/\/var\/lib\/porter[\w/]*/g)].map(([path]) => ({ file, path }));
  });
  assert.ok(named.length >= 4);
  for (const { file, path } of named) assert.equal(path.replace(/\/$/, ''), storage.blobs, file);
});
