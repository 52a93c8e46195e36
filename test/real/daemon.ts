import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

export interface DaemonOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** It is ready once all these ports of 127.0.0.1 take connections. */
  readonly ports: readonly number[];
}

/** A program that runs beside a test and is ended with it, by its pid. */
export interface Daemon {
  readonly pid: number;
  /** All that it has printed so far. */
  output(): string;
  /** Ends it politely, and after five seconds for good. Idempotent. */
  stop(): Promise<void>;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
}

const READY_MS = 30_000;
const POLITE_MS = 5_000;

/** Starts a program and waits until its ports answer; what it printed is in the error if they never do. */
export async function startDaemon(
  command: string,
  args: readonly string[],
  options: DaemonOptions,
): Promise<Daemon> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
  });
  const daemon = watch(child);
  try {
    await untilReady(child, options.ports);
    return daemon;
  } catch (error) {
    await daemon.kill();
    throw new Error(`${command} did not start; it printed:\n${daemon.output()}`, { cause: error });
  }
}

function watch(child: ChildProcess): Daemon {
  const printed: string[] = [];
  const gone = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => printed.push(text));
  }
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), POLITE_MS);
    await gone;
    clearTimeout(timer);
  };
  return {
    pid: child.pid ?? 0,
    output: () => printed.join(''),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

async function untilReady(child: ChildProcess, ports: readonly number[]): Promise<void> {
  let fault: Error | undefined;
  child.once('error', (error) => {
    fault = error;
  });
  const deadline = Date.now() + READY_MS;
  for (const port of ports) {
    while (!(await answers(port))) {
      if (fault) throw fault;
      if (child.exitCode !== null || child.signalCode !== null) throw new Error('it ended by itself');
      if (Date.now() > deadline) throw new Error(`port ${port} does not answer`);
      await wait(20);
    }
  }
}

/** Does a port of 127.0.0.1 take connections? */
export async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
