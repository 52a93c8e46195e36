import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { showProgress } from '../../../src/cli/lib/progress.ts';
import { createCapturedContext } from './run-command.ts';

describe('showProgress', () => {
  test('prints a plain line every few seconds without a terminal, and always the last one', () => {
    const context = createCapturedContext();
    let now = 0;
    const progress = showProgress(context, { title: 'Sweeping', total: 10, clock: () => now });
    progress.update(1);
    now = 5_000;
    progress.update(4, '3 MiB');
    progress.update(5);
    now = 9_000;
    progress.update(10, '9 MiB');
    progress.end();
    progress.end();
    assert.equal(context.stderr.text, 'Sweeping: 4 of 10, 3 MiB\nSweeping: 10 of 10, 9 MiB\n');
    assert.equal(context.stdout.text, '', 'stdout is for results only');
  });

  test('prints a count if the total is unknown', () => {
    const context = createCapturedContext();
    const progress = showProgress(context, { title: 'Reading' });
    progress.update(42);
    progress.end();
    assert.equal(context.stderr.text, 'Reading: 42\n');
  });

  test('shows a bar on a terminal', () => {
    const context = createCapturedContext('/', {}, true);
    const progress = showProgress(context, { title: 'Sweeping', total: 10 });
    progress.update(10, '9 MiB');
    progress.end();
    assert.match(context.stderr.text, /Sweeping \[[^\]]+\] 100% 10\/10 9 MiB/);
    assert.match(context.stderr.text, /\n$/);
  });
});
