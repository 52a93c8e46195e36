import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pages } from '../../../src/cli/reference.ts';
import { RESERVED_PATHS } from '../../../src/config/checks.ts';
import {
  builtFeatures,
  featuresOf,
  missingFeatures,
  refuseMissingFeatures,
} from '../../../src/config/features.ts';
import { schema } from '../../../src/config/schema.ts';
import { allPaths, factsOf, structureOf } from '../../../src/config/structure.ts';
import { GET_PREFIX, PUT_PREFIX } from '../../../src/uploads/links.ts';
import { read } from './read.ts';

const DOCS = join(import.meta.dirname, '../../../docs');

describe('the pages that are made from the code', () => {
  for (const [name, page] of Object.entries(pages)) {
    test(`docs/${name} is what the code says; npm run docs writes it`, () => {
      assert.equal(readFileSync(join(DOCS, name), 'utf8'), page());
    });
  }

  test('name every option', () => {
    const page = pages['config.md']?.() ?? '';
    for (const path of allPaths(schema)) {
      const last = path.split('.').at(-1) ?? '';
      assert.ok(page.includes(last), path);
    }
  });
});

describe('every option', () => {
  test('has a sentence that says what it does', () => {
    const root = structureOf(schema);
    const undocumented: string[] = [];
    const look = (keys: Readonly<Record<string, Parameters<typeof factsOf>[0]>>, prefix: string) => {
      for (const [key, option] of Object.entries(keys)) {
        const facts = factsOf(option);
        if (!facts?.doc.endsWith('.')) undocumented.push(`${prefix}${key}`);
        let structure = structureOf(option);
        if (structure.form === 'list') structure = structureOf(structure.item);
        if (structure.form === 'section') look(structure.keys, `${prefix}${key}.`);
      }
    };
    assert.ok(root.form === 'section');
    look(root.keys, '');
    assert.deepEqual(undocumented, []);
  });
});

describe('doors that are not built yet', () => {
  const config = read('workers: 3\nexternal:\n  secret: a-secret-of-a-later-version\naccess: [{jid: a}]');

  test('are refused at the start, each at its line', () => {
    assert.deepEqual(featuresOf(config), ['external', 'workers']);
    const none = new Set<never>();
    assert.deepEqual(
      missingFeatures(config, none).map(({ line, key }) => [line, key]),
      [
        [2, 'external'],
        [1, 'workers'],
      ],
    );
    assert.throws(() => refuseMissingFeatures(config, none), /cannot be used/);
    refuseMissingFeatures(config, new Set(['external', 'workers']));
  });

  test('are none of those that this version has', () => {
    const today = read('public_url: https://a\ncomponent: {jid: a.b, secret: c}\nslot_api: {}');
    assert.deepEqual(missingFeatures(today, builtFeatures), []);
  });
});

test('no door can be put where the links of slots are', () => {
  assert.ok([PUT_PREFIX, GET_PREFIX].every((prefix) => RESERVED_PATHS.some((path) => path === prefix)));
});
