import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setPriority } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { withTimeout } from '../../base/async.ts';
import { entryPoint } from '../../base/package-files.ts';
import {
  DECODE_TIMEOUT_MS,
  IDLE_MS,
  PICTURES_PER_PROCESS,
  PROCESS_MEMORY_BYTES,
  READ_TIMEOUT_MS,
  START_TIMEOUT_MS,
} from './limits.ts';
import { ANSWER_HEADER_BYTES, requestHeader, STATUS } from './process-protocol.ts';

/*
 * Decodes pictures in another process, so that a crash or the memory of a decoder does not affect the server:
 *
 *   none ── first picture ──> starting ── ready ──> idle ── picture ──> working ──> idle
 *     ▲                          │                   │                     │
 *     └── unusable, timeout ─────┴─ idle too long ───┴─ crash, timeout ────┘
 */

/** The result for one picture. */
export type ShrinkResult =
  | { readonly kind: 'made'; readonly thumbnail: Buffer }
  /** The picture is at fault. */
  | { readonly kind: 'damaged'; readonly reason: string }
  /** The process ended, or took too long. The picture may be at fault. */
  | { readonly kind: 'gave_up'; readonly reason: string }
  /** The picture could not be read from the store. */
  | { readonly kind: 'unread'; readonly reason: string }
  /** No picture can be decoded. */
  | { readonly kind: 'unusable'; readonly reason: string };

export interface Shrinker {
  /** Makes a thumbnail of one picture at a time. Never rejects. */
  shrink(picture: AsyncIterable<Uint8Array>, size: number, width: number): Promise<ShrinkResult>;
  /** Loads the decoder. Resolves with the reason if that is impossible, else with undefined. */
  findProblem(): Promise<string | undefined>;
  /** Ends the process. A picture that is being decoded is given up. */
  close(): void;
}

export interface ShrinkerOptions {
  /** The main file of the process. Replaced in tests. */
  readonly program?: string;
  readonly decodeTimeoutMs?: number;
  readonly readTimeoutMs?: number;
  readonly idleMs?: number;
}

const PROGRAM = fileURLToPath(entryPoint('uploads/thumbnails/picture-process'));

/** Niceness of the process: a lower priority than all processes that answer requests. */
const NICE = 10;
/** Bytes of its error output that are kept for the log. */
const MAX_ERROR_OUTPUT = 2000;

type Child = ChildProcessByStdio<Writable, Readable, Readable>;
type Answer = { readonly status: number; readonly payload: Buffer };

export function createShrinker(options: ShrinkerOptions = {}): Shrinker {
  const {
    program = PROGRAM,
    decodeTimeoutMs = DECODE_TIMEOUT_MS,
    readTimeoutMs = READ_TIMEOUT_MS,
    idleMs = IDLE_MS,
  } = options;
  let current: PictureProcess | undefined;
  let idleTimer: NodeJS.Timeout | undefined;

  function end(): void {
    clearTimeout(idleTimer);
    current?.end();
    current = undefined;
  }

  /** Returns a process that has loaded its decoder. Throws `Error` with the reason if there can be none. */
  async function ready(): Promise<PictureProcess> {
    clearTimeout(idleTimer);
    if (current && (current.hasEnded() || current.pictures >= PICTURES_PER_PROCESS)) end();
    current ??= new PictureProcess(program);
    try {
      await withTimeout(current.loaded, START_TIMEOUT_MS, () => new Error('it did not start in time'));
      return current;
    } catch (error) {
      end();
      throw error;
    }
  }

  function rest(): void {
    clearTimeout(idleTimer);
    idleTimer = setTimeout(end, idleMs).unref();
  }

  async function decode(
    child: PictureProcess,
    picture: AsyncIterable<Uint8Array>,
    size: number,
    width: number,
  ): Promise<ShrinkResult> {
    const sent = await child.send(requestHeader(width, size), picture, size, readTimeoutMs);
    if (sent !== undefined) return { kind: 'unread', reason: sent };
    const timeout = () => new Error(`it took longer than ${decodeTimeoutMs} ms`);
    const { status, payload } = await withTimeout(child.nextAnswer(), decodeTimeoutMs, timeout);
    if (status === STATUS.made) return { kind: 'made', thumbnail: payload };
    const reason = payload.toString();
    // The memory that is left depends on the earlier pictures, so the fault may not be in this one.
    if (/memory/i.test(reason)) throw new Error(reason);
    return { kind: 'damaged', reason };
  }

  return {
    async shrink(picture, size, width) {
      let child: PictureProcess;
      try {
        child = await ready();
      } catch (error) {
        return { kind: 'unusable', reason: messageOf(error) };
      }
      try {
        const result = await decode(child, picture, size, width);
        if (result.kind === 'unread') end();
        else rest();
        return result;
      } catch (error) {
        end();
        return { kind: 'gave_up', reason: messageOf(error) };
      }
    },
    async findProblem() {
      try {
        await ready();
        rest();
        return undefined;
      } catch (error) {
        return messageOf(error);
      }
    },
    close: end,
  };
}

/** The command that installs the decoder. */
export const INSTALL_DECODER = 'npm install --include=optional sharp';

/** Loads the decoder, in its own process. Resolves with the reason in one line if that is impossible, else with undefined. */
export async function findDecoderProblem(shrinker: Shrinker = createShrinker()): Promise<string | undefined> {
  try {
    const problem = await shrinker.findProblem();
    return problem
      ?.split('\n')
      .find((line) => /\w/.test(line))
      ?.trim();
  } finally {
    shrinker.close();
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

class PictureProcess {
  /** Resolves when the decoder is loaded. */
  readonly loaded: Promise<void>;
  pictures = 0;
  readonly #child: Child;
  readonly #ended: Promise<never>;
  #hasEnded = false;
  #errorOutput = '';
  #received = Buffer.alloc(0);
  #onAnswer: ((answer: Answer) => void) | undefined;

  constructor(program: string) {
    this.#child = start(program);
    const ended = Promise.withResolvers<never>();
    const fail = (text: string) => {
      this.#hasEnded = true;
      ended.reject(new Error(`${text}${this.#errorOutput && `: ${this.#errorOutput.trim()}`}`));
    };
    this.#ended = ended.promise;
    this.#ended.catch(() => {});
    this.#child.on('error', ({ message }) => fail(`it could not be started (${message})`));
    this.#child.on('close', (code, signal) => fail(`it ended (${signal ?? `exit code ${code}`})`));
    this.#child.stdin.on('error', () => {});
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errorOutput = (this.#errorOutput + text).slice(-MAX_ERROR_OUTPUT);
    });
    this.#child.stdout.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.loaded = this.#load();
    this.loaded.catch(() => {});
  }

  hasEnded(): boolean {
    return this.#hasEnded;
  }

  async #load(): Promise<void> {
    const { status, payload } = await this.nextAnswer();
    if (status !== STATUS.ready) throw new Error(payload.toString());
  }

  /** Rejects if the process ends first. */
  nextAnswer(): Promise<Answer> {
    const answer = new Promise<Answer>((resolve) => {
      this.#onAnswer = resolve;
    });
    this.#deliver();
    return Promise.race([answer, this.#ended]);
  }

  #receive(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    this.#deliver();
  }

  #deliver(): void {
    const onAnswer = this.#onAnswer;
    if (onAnswer === undefined || this.#received.length < ANSWER_HEADER_BYTES) return;
    const end = ANSWER_HEADER_BYTES + this.#received.readUInt32BE(1);
    if (this.#received.length < end) return;
    const answer = {
      status: this.#received.readUInt8(0),
      payload: Buffer.from(this.#received.subarray(ANSWER_HEADER_BYTES, end)),
    };
    this.#received = this.#received.subarray(end);
    this.#onAnswer = undefined;
    onAnswer(answer);
  }

  /**
   * Sends a picture, chunk by chunk. Resolves with the reason if it cannot be read, else with undefined. Rejects if the process ends.
   */
  async send(
    header: Buffer,
    picture: AsyncIterable<Uint8Array>,
    size: number,
    timeoutMs: number,
  ): Promise<string | undefined> {
    this.pictures += 1;
    const timer = AbortSignal.timeout(timeoutMs);
    await this.#write(header);
    let sent = 0;
    try {
      for await (const chunk of picture) {
        if (timer.aborted) return 'the store is too slow';
        sent += chunk.length;
        if (sent > size) break;
        await this.#write(chunk);
      }
    } catch (error) {
      if (this.#hasEnded) throw error;
      return messageOf(error);
    }
    return sent === size ? undefined : 'its size is not the stored one';
  }

  #write(bytes: Uint8Array): Promise<void> {
    const written = new Promise<void>((resolve) => {
      this.#child.stdin.write(bytes, () => resolve());
    });
    return Promise.race([written, this.#ended]);
  }

  end(): void {
    this.#hasEnded = true;
    this.#child.kill('SIGKILL');
  }
}

/**
 * Starts the process with a limit on its memory, without a core dump (which would contain pictures), and without the environment of the
 * server, which may contain secrets.
 */
function start(program: string): Child {
  const command = [process.execPath, '--max-old-space-size=128', program];
  const shell = '/bin/sh';
  const limited =
    process.platform === 'linux' && existsSync(shell)
      ? [shell, '-c', `ulimit -c 0; ulimit -d ${PROCESS_MEMORY_BYTES / 1024}; exec "$@"`, 'sh', ...command]
      : command;
  const [file = '', ...args] = limited;
  const { LD_LIBRARY_PATH } = process.env;
  const env = {
    UV_THREADPOOL_SIZE: '2',
    MALLOC_ARENA_MAX: '2',
    VIPS_CONCURRENCY: '1',
    ...(LD_LIBRARY_PATH !== undefined && { LD_LIBRARY_PATH }),
  };
  const child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  try {
    if (child.pid !== undefined) setPriority(child.pid, NICE);
  } catch {
    // Not permitted: then it competes with the server, one picture at a time.
  }
  return child;
}
