import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProgramOptions {
  readonly cwd?: string;
  /** Added to the environment of the test process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Keeps standard input open, for `write`. */
  readonly interactive?: boolean;
}

export interface ProgramExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Kills the programs of a failed test: the test process neither waits for them nor leaves them running. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

const HUNG_MS = 1_200_000;

/** A child process of a test, with all of its output. */
export class Program {
  readonly name: string;
  private readonly child: ChildProcess;
  private readonly ended: Promise<ProgramExit>;
  private end: ProgramExit | undefined;
  /** Standard output so far. */
  stdout = '';
  /** Standard error so far. */
  stderr = '';

  constructor(
    command: string,
    args: readonly string[],
    { cwd, env, interactive = false }: ProgramOptions = {},
  ) {
    this.name = command;
    this.child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: [interactive ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    running.add(this.child);
    this.holdProcess(false);
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = this.watch();
  }

  private async watch(): Promise<ProgramExit> {
    const [code, signal] = (await once(this.child, 'close')) as [number | null, NodeJS.Signals | null];
    running.delete(this.child);
    this.end = { code, signal };
    return this.end;
  }

  /** Keeps the test process alive only while a test waits for this program to end. */
  private holdProcess(hold: boolean): void {
    const { child } = this;
    for (const handle of [child, child.stdin, child.stdout, child.stderr]) {
      if (hold) (handle as Partial<Socket> | null)?.ref?.();
      else (handle as Partial<Socket> | null)?.unref?.();
    }
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`${this.name} did not start`);
    return this.child.pid;
  }

  get output(): string {
    return this.stdout + this.stderr;
  }

  get running(): boolean {
    return this.end === undefined;
  }

  /**
   * Waits until `ready` returns true. Throws with the output of the program if it ends before, or after `HUNG_MS`: a limit
   * for hung programs, far above what a busy machine needs.
   */
  async waitFor(event: string, ready: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = Date.now() + HUNG_MS;
    while (!(await ready())) {
      if (!this.running) throw new Error(`${this.name} ended before ${event}:\n${this.output}`);
      if (Date.now() > deadline)
        throw new Error(`${this.name}: timed out waiting for ${event}:\n${this.output}`);
      await sleep(20);
    }
  }

  /** Writes to standard input. */
  write(text: string): void {
    this.child.stdin?.write(text);
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) process.kill(this.pid, signal);
  }

  /** Resolves when the program has ended. */
  exited(): Promise<ProgramExit> {
    this.holdProcess(true);
    return this.ended;
  }

  /** Sends a signal and waits for the end; sends SIGKILL after 40 seconds. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<ProgramExit> {
    this.signal(signal);
    const late = setTimeout(() => this.signal('SIGKILL'), 40_000);
    const end = await this.exited();
    clearTimeout(late);
    return end;
  }
}

/** Runs a program until it ends. */
export async function runProgram(
  command: string,
  args: readonly string[],
  options?: ProgramOptions,
): Promise<ProgramExit & { readonly stdout: string; readonly stderr: string }> {
  const program = new Program(command, args, options);
  const end = await program.exited();
  return { ...end, stdout: program.stdout, stderr: program.stderr };
}
