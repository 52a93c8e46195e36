import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProgramOptions {
  readonly cwd?: string;
  /** Added to the environment of the tests. */
  readonly env?: Readonly<Record<string, string>>;
  /** Keeps its standard input open, for `write`. */
  readonly interactive?: boolean;
}

export interface ProgramExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A test that fails half-way must neither wait for its programs nor leave them behind. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A program that a test has started and will end, with all that it has written. */
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

  /** May the test process end before this one has? Only while nobody waits for its end. */
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

  /** Waits until `ready` says yes; fails with all that the program wrote if it ends or time is up first. */
  async waitFor(what: string, ready: () => boolean | Promise<boolean>, seconds = 30): Promise<void> {
    const deadline = Date.now() + seconds * 1000;
    while (!(await ready())) {
      if (!this.running) throw new Error(`${this.name} ended before ${what}:\n${this.output}`);
      if (Date.now() > deadline) throw new Error(`${this.name}: ${what} did not come:\n${this.output}`);
      await sleep(20);
    }
  }

  /** To its standard input. */
  write(text: string): void {
    this.child.stdin?.write(text);
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) process.kill(this.pid, signal);
  }

  /** Resolves when it has ended by itself. */
  exited(): Promise<ProgramExit> {
    this.holdProcess(true);
    return this.ended;
  }

  /** Ends it; one that does not go by itself is killed. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<ProgramExit> {
    this.signal(signal);
    const late = setTimeout(() => this.signal('SIGKILL'), 40_000);
    const end = await this.exited();
    clearTimeout(late);
    return end;
  }
}

/** Runs a program to its end. */
export async function runProgram(
  command: string,
  args: readonly string[],
  options?: ProgramOptions,
): Promise<ProgramExit & { readonly stdout: string; readonly stderr: string }> {
  const program = new Program(command, args, options);
  const end = await program.exited();
  return { ...end, stdout: program.stdout, stderr: program.stderr };
}
