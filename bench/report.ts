import { cpus, loadavg, totalmem } from 'node:os';
import type { BenchFolders } from './bench-folders.ts';
import type { Case, Outcome, Row } from './cases/case.ts';
import { ratioOf, type Spread, toSpread } from './statistics.ts';

export interface Measured {
  readonly measured: Case;
  readonly outcome: Outcome;
}

/** Describes the machine and the software. */
export function describeMachine({ fileSystem, diskFileSystem }: BenchFolders): Record<string, string> {
  const [first] = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} cores (${first?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB`,
    load: loadavg()
      .map((load) => load.toFixed(1))
      .join(' '),
    node: process.version,
    files: fileSystem === diskFileSystem ? fileSystem : `${fileSystem}; sync: true on ${diskFileSystem}`,
  };
}

/** Formats one case as a table, with the ratio of Porter to every other server. */
export function formatCase({ measured, outcome }: Measured): string {
  const { rows, unit, notes = [] } = outcome;
  const columns = [...plainColumns(rows, unit), ...ratioColumns(rows)];
  const cells = rows.map((row) => columns.map(({ cell }) => cell(row)));
  const lines = align([columns.map(({ head }) => head), ...cells]);
  return [`${measured.title}  [${measured.name}]`, ...lines, ...notes.map((note) => `  ${note}`)].join('\n');
}

interface Column {
  readonly head: string;
  cell(row: Row): string;
}

function plainColumns(rows: readonly Row[], unit: string): Column[] {
  const cpu: Column = {
    head: 'CPU µs each',
    cell: (row) => (row.cpu ? number(toSpread(row.cpu).median) : ''),
  };
  return [
    { head: '', cell: ({ name }) => name },
    { head: unit, cell: ({ figures }) => number(toSpread(figures).median) },
    { head: 'min–max', cell: ({ figures }) => range(toSpread(figures), number) },
    ...(rows.some((row) => row.cpu) ? [cpu] : []),
  ];
}

/** Returns no columns if only Porter was measured. */
function ratioColumns(rows: readonly Row[]): Column[] {
  const porterRows = rows.some((row) => !row.isPorter) ? rows.filter((row) => row.isPorter) : [];
  const byHead = Map.groupBy(porterRows, ({ name }) => `${short(name)} / it`);
  return [...byHead].map(([head, porters]) => ({
    head,
    cell(row) {
      const porter = porters.find(({ group }) => group === row.group);
      return row.isPorter || porter === undefined ? '' : ratioText(porter, row);
    },
  }));
}

/** Shortens the name of a row of Porter: `Porter, sync: true (ext4)` becomes `sync: true`. */
const short = (name: string) => /^Porter, ([^(]+)/.exec(name)?.[1]?.trim() ?? 'Porter';

function ratioText(porter: Row, other: Row): string {
  const ratio = ratioOf(porter.figures, other.figures);
  return `${ratio.median.toFixed(2)} ${range(ratio, (value) => value.toFixed(2))}`.trim();
}

/** Formats minimum and maximum; empty after a single round. */
function range({ min, max }: Spread, format: (value: number) => string): string {
  return min === max ? '' : `${format(min)}–${format(max)}`;
}

const number = (value: number) => Math.round(value).toLocaleString('en');

/** Aligns the first column left and the others right. */
function align(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>(
    (found, row) => row.map((cell, column) => Math.max(cell.length, found[column] ?? 0)),
    [],
  );
  return rows.map((row) => {
    const cells = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    return `  ${cells.join('  ').trimEnd()}`;
  });
}

/** Formats all targets with their results. */
export function formatTargets(all: readonly Measured[]): string[] {
  const targets = all.flatMap(({ outcome }) => outcome.targets ?? []);
  return targets.map(({ text, measured, met }) => `  ${met ? 'met    ' : 'NOT MET'}  ${text}: ${measured}`);
}

const MARKERS = ['<!-- written by the benchmark -->', '<!-- end of the benchmark -->'] as const;

/** Returns the page with the results between its markers, or at its end if it has none. */
export function insertMarkdown(
  page: string,
  about: Record<string, string>,
  all: readonly Measured[],
): string {
  const [begin, end] = MARKERS;
  const lines = Object.entries(about).map(([key, value]) => `- ${key}: ${value}`);
  const results = [begin, ...lines, '', ...all.map(formatMarkdown), end].join('\n');
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) return `${page.trimEnd()}\n\n${results}\n`;
  return page.slice(0, from) + results + page.slice(to + end.length);
}

function formatMarkdown({ measured, outcome }: Measured): string {
  const { rows, unit, notes = [] } = outcome;
  const columns = [...plainColumns(rows, unit), ...ratioColumns(rows)];
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    `### ${measured.title}\n`,
    line(columns.map(({ head }) => head)),
    line(columns.map(() => '---')),
    ...rows.map((row) => line(columns.map(({ cell }) => cell(row)))),
    ...(notes.length > 0 ? ['', ...notes] : []),
    '',
  ].join('\n');
}

/** Formats all results as JSON. */
export function formatJson(about: Record<string, string>, all: readonly Measured[]): string {
  const cases = all.map(({ measured: { name, title }, outcome }) => ({ name, title, ...outcome }));
  return `${JSON.stringify({ ...about, cases }, null, 2)}\n`;
}
