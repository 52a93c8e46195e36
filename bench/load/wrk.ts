import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Program } from '../../test/real/support/program.ts';
import type { Run } from '../rounds.ts';

/** One request that wrk is to send. Header names and values as they go over the wire. */
export interface WrkRequest {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface WrkOptions {
  readonly url: string;
  readonly connections: number;
  /** Seconds; with `count` only a bound. */
  readonly seconds: number;
  readonly method?: 'GET' | 'PUT' | 'POST';
  /** In turn, from the first again; with `count` there must be more of them than that. */
  readonly requests: readonly WrkRequest[];
  /** Stop after so many answers, and take the time of exactly those. */
  readonly count?: number;
  /** A file whose bytes are every request's body. Several requests without `count` go without. */
  readonly bodyFile?: string;
  /** The only status that is right. */
  readonly status: number;
  readonly folder: string;
}

const SCRIPT = join(import.meta.dirname, 'wrk.lua');
/** Unlike wrk's own, our script's figures end with a line of JSON. */
const RESULT = /^\{"requests".*$/m;

interface RawResult {
  readonly requests: number;
  readonly seconds: number;
  readonly wrong: number;
  readonly broken: number;
}

/** One run of wrk with one thread. Fails if a single answer had another status or a connection broke. */
export async function wrk(options: WrkOptions): Promise<Run> {
  const list = join(options.folder, 'wrk-requests.txt');
  await writeFile(list, options.requests.map(lineOf).join(''));
  const program = new Program('wrk', argumentsOf(options, list));
  if (options.count !== undefined) await endWhenCounted(program);
  await program.exited();
  const found = RESULT.exec(program.stdout)?.[0];
  if (found === undefined) throw new Error(`wrk gave no figures:\n${program.output}`);
  return resultOf(JSON.parse(found) as RawResult, options);
}

function argumentsOf(options: WrkOptions, list: string): string[] {
  const { url, connections, seconds, method = 'GET', count = 0, bodyFile = '', status } = options;
  const bounds = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '30s'];
  return [...bounds, '-s', SCRIPT, url, '--', method, list, String(count), bodyFile, String(status)];
}

/** Path, then header lines, tab between them: none of these can hold one. */
function lineOf({ path, headers = {} }: WrkRequest): string {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return `${[path, ...fields].join('\t')}\n`;
}

/** wrk sleeps through its whole time even if its thread has ended; an interrupt wakes it. */
async function endWhenCounted(program: Program): Promise<void> {
  const counted = () => !program.running || program.stderr.includes('counted');
  await program.waitFor('all answers', counted, 300);
  program.signal('SIGINT');
}

function resultOf(raw: RawResult, { url, status }: WrkOptions): Run {
  if (raw.wrong > 0 || raw.broken > 0) {
    throw new Error(`${url}: ${raw.wrong} answers that were not ${status}, ${raw.broken} broken connections`);
  }
  return { done: raw.requests, seconds: raw.seconds };
}
