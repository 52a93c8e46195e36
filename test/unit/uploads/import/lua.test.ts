import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { type LuaTable, parseLuaItem, readLuaItems } from '../../../../src/uploads/import/lua.ts';

/** A table as Prosody's util.serialization writes it: every byte that is not plain as `\ddd`. */
function serialize(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return `"${escapeBytes(value)}"`;
  const entries = Object.entries(value as object).map(
    ([key, one]) => `\t["${escapeBytes(key)}"] = ${serialize(one)};\n`,
  );
  return `{\n${entries.join('')}}`;
}

function escapeBytes(text: string): string {
  const written = (byte: number) =>
    /[ -~]/.test(String.fromCharCode(byte)) && !'"\'\\'.includes(String.fromCharCode(byte))
      ? String.fromCharCode(byte)
      : `\\${String(byte).padStart(3, '0')}`;
  return [...Buffer.from(text)].map(written).join('');
}

function plain(table: LuaTable): unknown {
  return Object.fromEntries(
    [...table].map(([key, value]) => [key, value instanceof Map ? plain(value) : value]),
  );
}

async function read(t: TestContext, text: string) {
  const folder = await mkdtemp(join(tmpdir(), 'porter-lua-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'x.list'), text, 'latin1');
  const broken: number[] = [];
  const items = [];
  for await (const item of readLuaItems(join(folder, 'x.list'), (line) => broken.push(line)))
    items.push(plain(item));
  return { items, broken };
}

describe("Prosody's lists", () => {
  test('are parsed back to the original values, whatever the text', () => {
    const text = fc.string({ unit: 'binary' }).map((s) => s.toWellFormed());
    const entry = fc.record({
      key: text,
      when: fc.integer(),
      attr: fc.dictionary(text, fc.oneof(text, fc.integer(), fc.boolean()), { noNullPrototype: true }),
    });
    fc.assert(
      fc.property(entry, (value) => {
        const table = parseLuaItem(`item(${serialize(value)});\n`) ?? assert.fail();
        assert.deepEqual(plain(table), JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test('are parsed in every format that Prosody has written', () => {
    const table =
      parseLuaItem('item({ a = 1.5e3, ["b"] = nil; [7] = true, "x", "y"; c = {}; d = -3 });') ??
      assert.fail();
    assert.deepEqual(plain(table), { a: 1500, b: null, 7: true, 1: 'x', 2: 'y', c: {}, d: -3 });
    const escaped = parseLuaItem('item({t="\\a\\b\\f\\n\\r\\t\\v\\"\\\'\\\\\\195\\169"});') ?? assert.fail();
    assert.equal(escaped.get('t'), '\x07\b\f\n\r\t\v"\'\\é');
    assert.equal(parseLuaItem('item({t="caf\xc3\xa9"});')?.get('t'), 'café', 'raw UTF-8, as older ones did');
  });

  test('are never executed, and other input is rejected', () => {
    for (const text of [
      'item({os.execute("x")});',
      'item({a = os});',
      'item(function() end);',
      'item({a = 1}) print(1);',
      'item({a = "x" .. "y"});',
      'item({a = [[x]]});',
      'item({["a"]});',
      'item({a = "\\999"});',
      'item("x");',
      'item({a = 1};',
      'print({});',
      `item(${'{'.repeat(5000)}`,
      '',
    ]) {
      assert.equal(parseLuaItem(text), undefined, text.slice(0, 60));
    }
  });

  test('give all complete entries of a file damaged by a crash', async (t) => {
    const one = 'item({\n\t["key"] = "one";\n});\n';
    const cut = 'item({\n\t["key"] = "cu';
    const { items, broken } = await read(t, `${one}${cut}\n${one.replace('one', 'two')}   \n${cut}`);
    assert.deepEqual(items, [{ key: 'one' }, { key: 'two' }]);
    assert.deepEqual(broken, [6, 11]);
  });

  test('end at the end of the call, not at text that looks like it', async (t) => {
    const { items, broken } = await read(
      t,
      'item({\n\t["a"] = "x\\010});";\n\t["b"] = "item(";\n});\nitem({a=1});\n',
    );
    assert.deepEqual(items, [{ a: 'x\n});', b: 'item(' }, { a: 1 }]);
    assert.deepEqual(broken, []);
  });
});
