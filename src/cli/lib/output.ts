import { once } from 'node:events';
import type { CommandContext, OutputStream } from './command-context.ts';

/** Writes a line. Waits if the reader is slow. */
export async function printLine(output: OutputStream, text: string): Promise<void> {
  if (!output.write(`${text}\n`)) await once(output, 'drain');
}

export async function printJson(context: CommandContext, value: unknown): Promise<void> {
  await printLine(context.stdout, JSON.stringify(value, null, 2));
}

/**
 * Replaces control and format characters by U+FFFD. File names come from users: they must not send terminal escape
 * sequences or reverse the direction of a line.
 */
export function sanitizeForTerminal(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{fffd}');
}

export interface TableColumn<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  /** Aligns to the right, for numbers. */
  readonly right?: boolean;
}

/** The number of rows that set the widths of the columns. Later rows use the same widths. */
const MEASURED_ROWS = 200;

/**
 * Prints rows as they arrive, in any number: as aligned columns on a terminal, separated by tabs elsewhere, or as one
 * JSON array of the rows themselves. Prints `emptyText` to stderr if there are no rows. Returns the number of rows.
 */
export async function printRows<Row>(
  context: CommandContext,
  rows: AsyncIterable<Row> | Iterable<Row>,
  columns: readonly TableColumn<Row>[],
  options: { readonly json?: boolean | undefined; readonly emptyText?: string } = {},
): Promise<number> {
  return options.json ? printJsonRows(context, rows) : printTable(context, rows, columns, options.emptyText);
}

async function printJsonRows<Row>(
  { stdout }: CommandContext,
  rows: AsyncIterable<Row> | Iterable<Row>,
): Promise<number> {
  let count = 0;
  for await (const row of rows) {
    await printLine(stdout, `${count === 0 ? '[' : ','}${JSON.stringify(row)}`);
    count += 1;
  }
  await printLine(stdout, count === 0 ? '[]' : ']');
  return count;
}

async function printTable<Row>(
  context: CommandContext,
  rows: AsyncIterable<Row> | Iterable<Row>,
  columns: readonly TableColumn<Row>[],
  emptyText: string | undefined,
): Promise<number> {
  const header = columns.map((column) => column.title);
  let buffered: string[][] = [header];
  let widths: number[] | undefined;
  let count = 0;
  const flush = async () => {
    widths ??= columns.map((_, index) => Math.max(...buffered.map((cells) => cells[index]?.length ?? 0)));
    for (const cells of buffered) {
      await printLine(context.stdout, formatRow(context, cells, columns, widths));
    }
    buffered = [];
  };
  for await (const row of rows) {
    buffered.push(columns.map((column) => sanitizeForTerminal(column.text(row))));
    count += 1;
    if (buffered.length >= MEASURED_ROWS) await flush();
  }
  if (count === 0 && emptyText !== undefined) await printLine(context.stderr, emptyText);
  else await flush();
  return count;
}

function formatRow<Row>(
  { stdout }: CommandContext,
  cells: readonly string[],
  columns: readonly TableColumn<Row>[],
  widths: readonly number[],
): string {
  if (!stdout.isTTY) return cells.join('\t');
  const padded = cells.map((cell, index) => {
    const width = widths[index] ?? 0;
    return columns[index]?.right ? cell.padStart(width) : cell.padEnd(width);
  });
  return padded.join('  ').trimEnd();
}
