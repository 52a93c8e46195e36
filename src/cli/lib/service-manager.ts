import { spawn } from 'node:child_process';
import type { Logger } from '../../base/log.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reports the state of this service to systemd (sd_notify(3)). Does nothing if systemd has not started this process with
 * `Type=notify`.
 *
 *     state    | message               | when
 *     ---------|-----------------------|---------------------------------------------------------------
 *     starting |                       |
 *     ready    | READY=1               | HTTP listens and the stores are open
 *     ready    | WATCHDOG=1            | twice per WatchdogSec, by the main thread, so that a hung process gets restarted
 *     stopping | STOPPING=1            | a stop signal was received
 */
export interface ServiceManager {
  ready(): Promise<void>;
  stopping(): Promise<void>;
}

/**
 * Creates the reports to systemd. Node.js has no datagram sockets of the family AF_UNIX, so the program systemd-notify sends the
 * messages. The unit needs NotifyAccess=all for that (docs/decisions/0024). If a message cannot be sent, that is logged and the service
 * continues.
 */
export function createServiceManager(
  env: Environment,
  log: Logger,
  program = 'systemd-notify',
): ServiceManager {
  if (env.NOTIFY_SOCKET === undefined) return { ready: async () => {}, stopping: async () => {} };
  const watchdogMs = watchdogInterval(env, process.pid);
  let timer: NodeJS.Timeout | undefined;
  let sending = Promise.resolve();

  /** One message after the other, so that they arrive in order. */
  function send(...messages: readonly string[]): Promise<void> {
    sending = sending
      .then(() => runNotify(program, messages, env))
      .catch((err: unknown) => {
        log.warn({ err, messages }, 'cannot report the state of this service to systemd');
      });
    return sending;
  }

  return {
    async ready() {
      if (watchdogMs !== undefined) timer = setInterval(() => void send('WATCHDOG=1'), watchdogMs).unref();
      await send('READY=1', ...(watchdogMs === undefined ? [] : ['WATCHDOG=1']));
    },
    stopping() {
      clearInterval(timer);
      return send('STOPPING=1');
    },
  };
}

/** Returns half of WatchdogSec in milliseconds. Undefined if the unit has no watchdog, or one for another process. */
function watchdogInterval({ WATCHDOG_USEC, WATCHDOG_PID }: Environment, pid: number): number | undefined {
  const microseconds = Number(WATCHDOG_USEC);
  const isWatched = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === pid;
  return isWatched && microseconds > 0 ? microseconds / 2000 : undefined;
}

function runNotify(program: string, messages: readonly string[], env: Environment): Promise<void> {
  return new Promise((resolve, reject) => {
    const { PATH, NOTIFY_SOCKET } = env;
    const child = spawn(program, messages, { env: { PATH, NOTIFY_SOCKET }, stdio: 'ignore' });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${program} ended with ${signal ?? `exit code ${code}`}`));
    });
  });
}
