import { SingleBar } from 'cli-progress';
import { type Clock, systemClock } from '../../base/clock.ts';
import type { CommandContext } from './command-context.ts';

/** Shows the progress of long work on stderr, so that results can be piped from stdout. */
export interface Progress {
  /** Shows the number of finished items. `detail` is shown after the numbers. */
  update(done: number, detail?: string): void;
  /** Ends the display. Must be called after success and after failure. */
  end(): void;
}

export interface ProgressOptions {
  readonly title: string;
  /** Undefined if unknown. */
  readonly total?: number | undefined;
  /** Formats `done` and `total`, for example as sizes. Default: plain numbers. */
  readonly format?: (count: number) => string;
  readonly clock?: Clock;
}

/** Shows a bar on a terminal, and a plain line every few seconds elsewhere. */
export function showProgress(context: CommandContext, options: ProgressOptions): Progress {
  return context.stderr.isTTY ? showBar(context, options) : showLines(context, options);
}

function showBar({ stderr }: CommandContext, { title, total, format = String }: ProgressOptions): Progress {
  const template =
    total === undefined
      ? `${title}: {done} {detail}`
      : `${title} [{bar}] {percentage}% {done}/${format(total)} {detail}`;
  const bar = new SingleBar({ stream: stderr, format: template, hideCursor: true, clearOnComplete: false });
  bar.start(total ?? 0, 0, { done: format(0), detail: '' });
  return {
    update: (done, detail = '') => bar.update(done, { done: format(done), detail }),
    end: () => bar.stop(),
  };
}

const LINE_INTERVAL_MS = 5_000;

function showLines(
  { stderr }: CommandContext,
  { title, total, format = String, clock = systemClock }: ProgressOptions,
): Progress {
  let printedAt = clock();
  let printed = '';
  let latest = '';
  const print = () => {
    if (latest !== printed) stderr.write(`${latest}\n`);
    printed = latest;
    printedAt = clock();
  };
  return {
    update(done, detail = '') {
      const all = total === undefined ? '' : ` of ${format(total)}`;
      latest = `${title}: ${format(done)}${all}${detail === '' ? '' : `, ${detail}`}`;
      if (clock() - printedAt >= LINE_INTERVAL_MS) print();
    },
    end: print,
  };
}
