import { sleep } from '../../base/async.ts';
import { backoffMs } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { formatPeriod } from '../../base/units.ts';
import { createClockSkewProbe } from './clock-skew.ts';
import {
  type ComponentConnection,
  type ComponentConnectionOptions,
  openComponentConnection,
  type StanzaListener,
} from './connection.ts';
import { describeConnectionError } from './connection-errors.ts';
import { type KeepaliveOptions, startKeepalive } from './keepalive.ts';

export interface ComponentStreamStatus {
  readonly jid: string;
  readonly up: boolean;
  /** Time of the last change of `up`, in ms since 1970. */
  readonly since: number;
  /** Cause and remedy for the admin; null while the stream is up. */
  readonly lastError: string | null;
}

export interface ComponentStreamOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Resolves after `ms` milliseconds, or earlier when the signal is aborted. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** 0 to 1. */
  readonly random?: () => number;
  readonly keepalive?: KeepaliveOptions;
}

export interface ComponentStreamEvents {
  readonly onStanza: StanzaListener;
  readonly onStatusChange: (status: ComponentStreamStatus) => void;
  /** Gets each connection after its handshake. */
  readonly onConnection?: (connection: ComponentConnection) => void;
  /** Gets the milliseconds by which the server's clock is ahead. Without it the clock is not queried. */
  readonly onClockSkew?: (skewMs: number) => void;
}

const DEFAULT_KEEPALIVE: KeepaliveOptions = { pingAfterMs: 60_000, pingTimeoutMs: 30_000 };
/** A stream that was up for this long resets the backoff. */
const STABLE_MS = 30_000;

/**
 * A component stream that reconnects until it is stopped. It starts to connect when it is created.
 *
 * | state        | `status`                     | next state                                                |
 * |--------------|------------------------------|-----------------------------------------------------------|
 * | connecting   | down, last error             | up after the handshake; waiting if connecting fails       |
 * | up           | up                           | waiting when the connection ends                          |
 * | waiting      | down, cause and remedy       | connecting after the backoff (1 s doubling to 60 s)       |
 * | stopped      | down, 'stopped'              | none; entered from every state by `stop()`                |
 */
export class ComponentStream {
  readonly #options: ComponentStreamOptions;
  readonly #connectionOptions: ComponentConnectionOptions;
  readonly #events: ComponentStreamEvents;
  readonly #stopping = new AbortController();
  readonly #finished: Promise<void>;
  #connection: ComponentConnection | undefined;
  #status: ComponentStreamStatus;

  constructor(
    options: ComponentStreamOptions,
    connectionOptions: ComponentConnectionOptions,
    events: ComponentStreamEvents,
  ) {
    this.#options = options;
    this.#connectionOptions = connectionOptions;
    this.#events = events;
    const { jid } = connectionOptions;
    this.#status = { jid, up: false, since: options.clock(), lastError: 'not connected yet' };
    this.#finished = this.#run();
  }

  get status(): ComponentStreamStatus {
    return this.#status;
  }

  /** Closes the stream. After it resolves, no timer and no socket is left. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#connection?.close();
    await this.#finished;
  }

  async #run(): Promise<void> {
    const { clock, log, wait = sleep, random = Math.random } = this.#options;
    const { signal } = this.#stopping;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const error = await this.#connectUntilEnd();
      if (signal.aborted) break;
      const { up, since, jid } = this.#status;
      if (up && clock() - since >= STABLE_MS) attempt = 0;
      const retryInMs = backoffMs(attempt, { chance: random() });
      const lastError = describeConnectionError(error, this.#connectionOptions);
      this.#setStatus(lastError);
      log.warn({ jid, retryIn: formatPeriod(retryInMs) }, `component stream is down: ${lastError}`);
      await wait(retryInMs, signal);
    }
    this.#setStatus('stopped');
  }

  /** Resolves when the connection has failed or ended, with the reason. */
  async #connectUntilEnd(): Promise<unknown> {
    const { clock, log, keepalive = DEFAULT_KEEPALIVE } = this.#options;
    const { jid } = this.#connectionOptions;
    const { onClockSkew, onConnection, onStanza } = this.#events;
    const clockProbe = onClockSkew && createClockSkewProbe(jid, clock, onClockSkew);
    const listener: StanzaListener = (stanza, write) => {
      if (!clockProbe?.handle(stanza)) onStanza(stanza, write);
    };
    let connection: ComponentConnection;
    try {
      connection = await openComponentConnection(this.#connectionOptions, listener, this.#stopping.signal);
    } catch (error) {
      return error;
    }
    this.#connection = connection;
    clockProbe?.start(connection);
    startKeepalive(connection, jid, keepalive);
    this.#setStatus(null);
    onConnection?.(connection);
    log.info({ jid }, 'component stream is up');
    const reason = await connection.ended;
    this.#connection = undefined;
    return reason;
  }

  #setStatus(lastError: string | null): void {
    const { jid, up: wasUp, since } = this.#status;
    const up = lastError === null;
    this.#status = { jid, up, since: up === wasUp ? since : this.#options.clock(), lastError };
    this.#events.onStatusChange(this.#status);
  }
}
