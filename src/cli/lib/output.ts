import { once } from 'node:events';
import { SingleBar } from 'cli-progress';
import { type Clock, systemClock } from '../../base/clock.ts';
import type { CommandContext, OutputStream } from './command-context.ts';

/** One column of a table; `right` for numbers. */
export interface TableColumn<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  readonly right?: boolean;
}

/** Writes a line, waiting while the reader is slow. */
export async function printLine(output: OutputStream, text: string): Promise<void> {
  if (!output.write(`${text}\n`)) await once(output, 'drain');
}

export async function printJson(shell: CommandContext, value: unknown): Promise<void> {
  await printLine(shell.stdout, JSON.stringify(value, null, 2));
}

/** Names come from strangers: nothing in them may steer a terminal or turn a line around. */
export function sanitizeForTerminal(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{fffd}');
}

/** Rows whose widths are measured together; later ones keep to them. */
const MEASURED = 200;

/**
 * Prints rows as they come, however many: aligned on a terminal, with tabs between the cells elsewhere, or with
 * `json` as one list of the rows themselves.
 */
export async function printRows<Row>(
  shell: CommandContext,
  rows: AsyncIterable<Row> | Iterable<Row>,
  columns: readonly TableColumn<Row>[],
  options: { readonly json?: boolean | undefined; readonly none?: string } = {},
): Promise<number> {
  return options.json ? printJsonRows(shell, rows) : printTable(shell, rows, columns, options.none);
}

async function printJsonRows<Row>(
  shell: CommandContext,
  rows: AsyncIterable<Row> | Iterable<Row>,
): Promise<number> {
  let count = 0;
  for await (const row of rows) {
    await printLine(shell.stdout, `${count === 0 ? '[' : ','}${JSON.stringify(row)}`);
    count += 1;
  }
  await printLine(shell.stdout, count === 0 ? '[]' : ']');
  return count;
}

async function printTable<Row>(
  shell: CommandContext,
  rows: AsyncIterable<Row> | Iterable<Row>,
  columns: readonly TableColumn<Row>[],
  none: string | undefined,
): Promise<number> {
  const header = columns.map((column) => column.title);
  let waiting: string[][] = [header];
  let widths: number[] | undefined;
  let count = 0;
  const flush = async () => {
    widths ??= columns.map((_, place) => Math.max(...waiting.map((cells) => cells[place]?.length ?? 0)));
    for (const cells of waiting) await printLine(shell.stdout, lineOf(shell, cells, columns, widths));
    waiting = [];
  };
  for await (const row of rows) {
    waiting.push(columns.map((column) => sanitizeForTerminal(column.text(row))));
    count += 1;
    if (waiting.length >= MEASURED) await flush();
  }
  if (count === 0 && none !== undefined) await printLine(shell.stderr, none);
  else await flush();
  return count;
}

function lineOf<Row>(
  shell: CommandContext,
  cells: readonly string[],
  columns: readonly TableColumn<Row>[],
  widths: readonly number[],
): string {
  if (!shell.stdout.isTTY) return cells.join('\t');
  const padded = cells.map((cell, place) => {
    const width = widths[place] ?? 0;
    return columns[place]?.right ? cell.padStart(width) : cell.padEnd(width);
  });
  return padded.join('  ').trimEnd();
}

/** Shows how far long work has come. On `err`, so that results can be piped away from it. */
export interface Progress {
  /** `done` so far, of `total` where that is known; `note` says more. */
  update(done: number, note?: string): void;
  /** Ends the bar or the lines; must be called, also on failure. */
  end(): void;
}

export interface ProgressOptions {
  readonly title: string;
  /** Undefined where nobody can know it. */
  readonly total?: number | undefined;
  /** How `done` and `total` are written, such as sizes; as they are where nothing else is said. */
  readonly show?: (count: number) => string;
  readonly clock?: Clock;
}

/** A bar on a terminal, a plain line every few seconds elsewhere. */
export function showProgress(shell: CommandContext, options: ProgressOptions): Progress {
  return shell.stderr.isTTY ? barOf(shell, options) : linesOf(shell, options);
}

function barOf(shell: CommandContext, { title, total, show = String }: ProgressOptions): Progress {
  const format =
    total === undefined
      ? `${title}: {done} {note}`
      : `${title} [{bar}] {percentage}% {done}/${show(total)} {note}`;
  const bar = new SingleBar({ stream: shell.stderr, format, hideCursor: true, clearOnComplete: false });
  bar.start(total ?? 0, 0, { done: show(0), note: '' });
  return {
    update: (done, note = '') => bar.update(done, { done: show(done), note }),
    end: () => bar.stop(),
  };
}

const LINE_EVERY = 5_000;

function linesOf(
  shell: CommandContext,
  { title, total, show = String, clock = systemClock }: ProgressOptions,
): Progress {
  let toldAt = clock();
  let told = '';
  let latest = '';
  const tell = () => {
    if (latest !== told) shell.stderr.write(`${latest}\n`);
    told = latest;
    toldAt = clock();
  };
  return {
    update(done, note = '') {
      const all = total === undefined ? '' : ` of ${show(total)}`;
      latest = `${title}: ${show(done)}${all}${note === '' ? '' : `, ${note}`}`;
      if (clock() - toldAt >= LINE_EVERY) tell();
    },
    end: tell,
  };
}
