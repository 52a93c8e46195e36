import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { allCommands } from '../../../src/cli/all-commands.ts';
import { generatedPages } from '../../../src/cli/commands/reference.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { RESERVED_PATHS } from '../../../src/config/checks/option-checks.ts';
import { configSchema } from '../../../src/config/schema/config-schema.ts';
import { getOptionInfo, getStructure, listKeyPaths } from '../../../src/config/schema/structure.ts';
import { GET_PREFIX, PUT_PREFIX } from '../../../src/uploads/links.ts';
import { createCapturedContext } from '../cli/run-command.ts';

const DOCS = join(import.meta.dirname, '../../../docs');
const program = createProgram(createCapturedContext(), allCommands);

describe('the pages that are made from the code', () => {
  for (const [name, page] of Object.entries(generatedPages)) {
    test(`docs/${name} is what the code says; npm run docs writes it`, () => {
      assert.equal(readFileSync(join(DOCS, name), 'utf8'), page(program));
    });
  }

  test('name every option', () => {
    const page = generatedPages['config.md']?.(program) ?? '';
    for (const path of listKeyPaths(configSchema)) {
      const last = path.split('.').at(-1) ?? '';
      assert.ok(page.includes(last), path);
    }
  });
});

describe('every option', () => {
  test('has a sentence that says what it does', () => {
    const root = getStructure(configSchema);
    const undocumented: string[] = [];
    const look = (keys: Readonly<Record<string, Parameters<typeof getOptionInfo>[0]>>, prefix: string) => {
      for (const [key, option] of Object.entries(keys)) {
        const facts = getOptionInfo(option);
        if (!facts?.doc.endsWith('.')) undocumented.push(`${prefix}${key}`);
        let structure = getStructure(option);
        if (structure.form === 'list') structure = getStructure(structure.item);
        if (structure.form === 'section') look(structure.keys, `${prefix}${key}.`);
      }
    };
    assert.ok(root.form === 'section');
    look(root.keys, '');
    assert.deepEqual(undocumented, []);
  });
});

test('no endpoint may have the path of slot links', () => {
  assert.ok([PUT_PREFIX, GET_PREFIX].every((prefix) => RESERVED_PATHS.some((path) => path === prefix)));
});
