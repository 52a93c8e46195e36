import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Program } from '../../test/real/support/program.ts';
import type { Run } from '../rounds.ts';

/** One request for wrk, with header names and values as sent. */
export interface WrkRequest {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface WrkOptions {
  readonly url: string;
  readonly connections: number;
  /** Seconds; only an upper limit if `count` is given. */
  readonly seconds: number;
  readonly method?: 'GET' | 'PUT' | 'POST';
  /** The requests, sent in turn and repeated. If `count` is given, there must be more requests than `count`. */
  readonly requests: readonly WrkRequest[];
  /** Stops after this many responses and times exactly those. Undefined: runs for `seconds`. */
  readonly count?: number;
  /** The file with the body of all requests. Not supported for several requests without `count`. */
  readonly bodyFile?: string;
  /** The expected status. */
  readonly status: number;
  readonly folder: string;
  /** Each connection waits a random time of this mean, in milliseconds, before each request. Default: none. */
  readonly pauseMs?: number;
}

/** The time from a request to its whole response, in microseconds. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

export interface WrkRun extends Run {
  readonly latency: Latency;
}

const SCRIPT = join(import.meta.dirname, 'wrk.lua');
/** The script prints its results as a line of JSON. */
const RESULT = /^\{"requests".*$/m;

interface RawResult extends Latency {
  readonly requests: number;
  readonly seconds: number;
  readonly wrong: number;
  readonly broken: number;
}

/** Runs wrk with one thread. Throws if any response has another status or any connection breaks. */
export async function wrk(options: WrkOptions): Promise<WrkRun> {
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
  const {
    url,
    connections,
    seconds,
    method = 'GET',
    count = 0,
    bodyFile = '',
    status,
    pauseMs = 0,
  } = options;
  const bounds = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '30s'];
  return [
    ...bounds,
    '-s',
    SCRIPT,
    url,
    '--',
    method,
    list,
    String(count),
    bodyFile,
    String(status),
    String(pauseMs),
  ];
}

/** Formats path and headers, separated by tabs, which neither can contain. */
function lineOf({ path, headers = {} }: WrkRequest): string {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return `${[path, ...fields].join('\t')}\n`;
}

/** Interrupts wrk after the last counted response, because it sleeps for its whole duration even if its thread has ended. */
async function endWhenCounted(program: Program): Promise<void> {
  const counted = () => !program.running || program.stderr.includes('counted');
  await program.waitFor('all answers', counted);
  program.signal('SIGINT');
}

function resultOf(raw: RawResult, { url, status }: WrkOptions): WrkRun {
  if (raw.wrong > 0 || raw.broken > 0) {
    throw new Error(`${url}: ${raw.wrong} answers that were not ${status}, ${raw.broken} broken connections`);
  }
  const { p50, p99, p999 } = raw;
  return { done: raw.requests, seconds: raw.seconds, latency: { p50, p99, p999 } };
}
