import { cpus, loadavg, totalmem } from 'node:os';
import type { Case, Outcome, Row } from './cases/case.ts';
import type { Place } from './place.ts';
import { ratioOf, type Spread, spreadOf } from './statistics.ts';

export interface Measured {
  readonly measured: Case;
  readonly outcome: Outcome;
}

/** What the figures depend on. */
export function machine({ kind, diskKind }: Place): Record<string, string> {
  const [first] = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} cores (${first?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB`,
    load: loadavg()
      .map((load) => load.toFixed(1))
      .join(' '),
    node: process.version,
    files: kind === diskKind ? kind : `${kind}; sync: true on ${diskKind}`,
  };
}

/** One case: its rows, with the ratios of ours to every other. */
export function table({ measured, outcome }: Measured): string {
  const ours = outcome.rows.filter((row) => row.ours);
  const rivals = outcome.rows.some((row) => !row.ours);
  const compared = rivals ? ours : ours.slice(0, 1);
  const header = [
    '',
    outcome.unit,
    'min–max',
    ...(rivals ? compared.map(({ name }) => `${short(name)} / it`) : []),
  ];
  const lines = outcome.rows.map((row) => [
    row.name,
    ...figures(spreadOf(row.figures)),
    ...(rivals ? compared.map((own) => (row.ours ? '' : ratioText(own, row))) : []),
  ]);
  const notes = (outcome.notes ?? []).map((note) => `  ${note}`);
  return [`${measured.title}  [${measured.name}]`, ...align([header, ...lines]), ...notes].join('\n');
}

const short = (name: string) => (name.includes('sync: true') ? 'sync: true' : 'Porter');

function figures({ median, min, max }: Spread): string[] {
  return [number(median), min === max ? '' : `${number(min)}–${number(max)}`];
}

function ratioText(own: Row, rival: Row): string {
  const { median, min, max } = ratioOf(own.figures, rival.figures);
  return min === max ? median.toFixed(2) : `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
}

const number = (value: number) => Math.round(value).toLocaleString('en');

/** First column to the left, the others to the right. */
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

/** What was promised, and what became of it. */
export function targetLines(all: readonly Measured[]): string[] {
  const targets = all.flatMap(({ outcome }) => outcome.targets ?? []);
  return targets.map(({ text, reached, met }) => `  ${met ? 'met    ' : 'NOT MET'}  ${text}: ${reached}`);
}

/** Everything, for programs. */
export function asJson(about: Record<string, string>, all: readonly Measured[]): string {
  const cases = all.map(({ measured: { name, title }, outcome }) => ({ name, title, ...outcome }));
  return `${JSON.stringify({ ...about, cases }, null, 2)}\n`;
}
