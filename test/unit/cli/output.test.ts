import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { printJson, printRows, sanitizeForTerminal } from '../../../src/cli/lib/output.ts';
import { createCapturedContext } from './run-command.ts';

interface File {
  readonly name: string;
  readonly size: number;
}

const columns = [
  { title: 'NAME', text: (file: File) => file.name },
  { title: 'SIZE', text: (file: File) => String(file.size), right: true },
];
const files: File[] = [
  { name: 'a.jpg', size: 5 },
  { name: 'longer.png', size: 12345 },
];

describe('printRows', () => {
  test('aligns columns on a terminal', async () => {
    const context = createCapturedContext('/', {}, true);
    assert.equal(await printRows(context, files, columns), 2);
    assert.equal(context.stdout.text, 'NAME         SIZE\na.jpg           5\nlonger.png  12345\n');
  });

  test('separates cells by tabs for other programs', async () => {
    const context = createCapturedContext();
    await printRows(context, files, columns);
    assert.equal(context.stdout.text, 'NAME\tSIZE\na.jpg\t5\nlonger.png\t12345\n');
  });

  test('prints one JSON array of the whole rows with --json', async () => {
    const context = createCapturedContext();
    await printRows(context, files, columns, { json: true });
    assert.deepEqual(JSON.parse(context.stdout.text), files);
    const empty = createCapturedContext();
    await printRows(empty, [], columns, { json: true });
    assert.deepEqual(JSON.parse(empty.stdout.text), []);
  });

  test('prints rows while later ones are still being read', async () => {
    const context = createCapturedContext();
    let printedEarly = 0;
    async function* manyRows() {
      for (let size = 0; size < 1000; size++) {
        if (size === 999) printedEarly = context.stdout.text.split('\n').length;
        yield { name: 'x', size };
      }
    }
    assert.equal(await printRows(context, manyRows(), columns), 1000);
    assert.ok(printedEarly > 500, 'most rows are printed before the last one arrives');
    assert.equal(context.stdout.text.split('\n').length, 1002);
  });

  test('reports an empty result on stderr, so that stdout stays empty', async () => {
    const context = createCapturedContext();
    await printRows(context, [], columns, { emptyText: 'No uploads.' });
    assert.equal(context.stdout.text, '');
    assert.equal(context.stderr.text, 'No uploads.\n');
  });

  test('removes control characters of file names', async () => {
    assert.equal(sanitizeForTerminal('a\u001b[2Jb\u202egpj\nc'), 'a\ufffd[2Jb\ufffdgpj\ufffdc');
    assert.equal(sanitizeForTerminal('Grüße 日本 🎉.jpg'), 'Grüße 日本 🎉.jpg');
    const context = createCapturedContext();
    await printRows(context, [{ name: 'a\tb\nc', size: 1 }], columns);
    assert.equal(context.stdout.text.split('\n')[1], 'a\ufffdb\ufffdc\t1');
  });
});

test('printJson prints indented JSON', async () => {
  const context = createCapturedContext();
  await printJson(context, { a: [1] });
  assert.equal(context.stdout.text, '{\n  "a": [\n    1\n  ]\n}\n');
});
