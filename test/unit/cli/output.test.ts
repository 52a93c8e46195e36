import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { printJson, printRows, sanitizeForTerminal, showProgress } from '../../../src/cli/lib/output.ts';
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

describe('rows', () => {
  test('stand in columns on a terminal', async () => {
    const shell = createCapturedContext('/', {}, true);
    assert.equal(await printRows(shell, files, columns), 2);
    assert.equal(shell.stdout.text, 'NAME         SIZE\na.jpg           5\nlonger.png  12345\n');
  });

  test('have tabs between them for other programs', async () => {
    const shell = createCapturedContext();
    await printRows(shell, files, columns);
    assert.equal(shell.stdout.text, 'NAME\tSIZE\na.jpg\t5\nlonger.png\t12345\n');
  });

  test('are one JSON list of the whole rows when asked for', async () => {
    const shell = createCapturedContext();
    await printRows(shell, files, columns, { json: true });
    assert.deepEqual(JSON.parse(shell.stdout.text), files);
    const none = createCapturedContext();
    await printRows(none, [], columns, { json: true });
    assert.deepEqual(JSON.parse(none.stdout.text), []);
  });

  test('come out however many there are, without waiting for the last', async () => {
    const shell = createCapturedContext();
    let seen = 0;
    async function* many() {
      for (let size = 0; size < 1000; size++) {
        if (size === 999) seen = shell.stdout.text.split('\n').length;
        yield { name: 'x', size };
      }
    }
    assert.equal(await printRows(shell, many(), columns), 1000);
    assert.ok(seen > 500, 'most were printed before the last was there');
    assert.equal(shell.stdout.text.split('\n').length, 1002);
  });

  test('that are none say so beside the output, where a reader of columns does not trip', async () => {
    const shell = createCapturedContext();
    await printRows(shell, [], columns, { none: 'No uploads.' });
    assert.equal(shell.stdout.text, '');
    assert.equal(shell.stderr.text, 'No uploads.\n');
  });

  test('cannot steer the terminal by a name that a stranger chose', async () => {
    assert.equal(sanitizeForTerminal('a\u001b[2Jb\u202egpj\nc'), 'a\ufffd[2Jb\ufffdgpj\ufffdc');
    assert.equal(sanitizeForTerminal('Grüße 日本 🎉.jpg'), 'Grüße 日本 🎉.jpg');
    const shell = createCapturedContext();
    await printRows(shell, [{ name: 'a\tb\nc', size: 1 }], columns);
    assert.equal(shell.stdout.text.split('\n')[1], 'a\ufffdb\ufffdc\t1');
  });
});

test('JSON is for people too', async () => {
  const shell = createCapturedContext();
  await printJson(shell, { a: [1] });
  assert.equal(shell.stdout.text, '{\n  "a": [\n    1\n  ]\n}\n');
});

describe('long work', () => {
  test('is a plain line every few seconds where no terminal is, and always the last one', () => {
    const shell = createCapturedContext();
    let now = 0;
    const progress = showProgress(shell, { title: 'Sweeping', total: 10, clock: () => now });
    progress.update(1);
    now = 5_000;
    progress.update(4, '3 MiB');
    progress.update(5);
    now = 9_000;
    progress.update(10, '9 MiB');
    progress.end();
    progress.end();
    assert.equal(shell.stderr.text, 'Sweeping: 4 of 10, 3 MiB\nSweeping: 10 of 10, 9 MiB\n');
    assert.equal(shell.stdout.text, '', 'results stay apart from progress');
  });

  test('counts where the end is not known', () => {
    const shell = createCapturedContext();
    const progress = showProgress(shell, { title: 'Reading' });
    progress.update(42);
    progress.end();
    assert.equal(shell.stderr.text, 'Reading: 42\n');
  });

  test('is a bar on a terminal', () => {
    const shell = createCapturedContext('/', {}, true);
    const progress = showProgress(shell, { title: 'Sweeping', total: 10 });
    progress.update(10, '9 MiB');
    progress.end();
    assert.match(shell.stderr.text, /Sweeping \[[^\]]+\] 100% 10\/10 9 MiB/);
    assert.match(shell.stderr.text, /\n$/);
  });
});
