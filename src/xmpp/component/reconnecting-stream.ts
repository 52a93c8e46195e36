import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
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
  /** Since when, ms since 1970. */
  readonly since: number;
  /** In an admin's words; null while it is up. */
  readonly lastError: string | null;
}

export interface ComponentStreamOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Resolves after so many milliseconds, or as soon as the signal says so. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** 0 to 1. */
  readonly random?: () => number;
  readonly keepalive?: KeepaliveOptions;
}

export interface ComponentStreamEvents {
  readonly onStanza: StanzaListener;
  readonly onStatusChange: (status: ComponentStreamStatus) => void;
  /** Gets each connection once its handshake is through. */
  readonly onConnection?: (connection: ComponentConnection) => void;
  /** Gets the milliseconds by which the server's clock is ahead of ours, now and then; without it nobody asks. */
  readonly onClockSkew?: (skewMs: number) => void;
}

/** A component's stream that comes back for ever. */
export interface ComponentStream {
  status(): ComponentStreamStatus;
  /** Says goodbye to the server; afterwards nothing of it is left. */
  stop(): Promise<void>;
}

const KEEPALIVE: KeepaliveOptions = { pingAfterMs: 60_000, pingTimeoutMs: 30_000 };
/** A stream that lived for so long was a good one: the next try comes soon. */
const STEADY_MS = 30_000;

/** Starts connecting and returns at once: Porter serves files whether or not the XMPP server is there. */
export function startComponentStream(
  deps: ComponentStreamOptions,
  target: ComponentConnectionOptions,
  events: ComponentStreamEvents,
): ComponentStream {
  const { clock, log, wait = waitFor, random = Math.random } = deps;
  const { jid } = target;
  const stopping = new AbortController();
  let connection: ComponentConnection | undefined;
  let status: ComponentStreamStatus = { jid, up: false, since: clock(), lastError: 'not connected yet' };

  function change(lastError: string | null): void {
    const up = lastError === null;
    status = { jid, up, since: up === status.up ? status.since : clock(), lastError };
    events.onStatusChange(status);
  }

  /** One connection from its first try to its end; resolves with what ended it. */
  async function live(): Promise<unknown> {
    const watch = events.onClockSkew && createClockSkewProbe(jid, clock, events.onClockSkew);
    const onStanza: StanzaListener = (stanza, send) => {
      if (!watch?.handle(stanza)) events.onStanza(stanza, send);
    };
    try {
      connection = await openComponentConnection(target, onStanza, stopping.signal);
    } catch (fault) {
      return fault;
    }
    watch?.start(connection);
    startKeepalive(connection, jid, deps.keepalive ?? KEEPALIVE);
    change(null);
    events.onConnection?.(connection);
    log.info({ jid }, 'component stream is up');
    const fault = await connection.ended;
    connection = undefined;
    return fault;
  }

  async function liveForEver(): Promise<void> {
    for (let attempt = 0; !stopping.signal.aborted; attempt += 1) {
      const fault = await live();
      if (stopping.signal.aborted) break;
      if (status.up && clock() - status.since >= STEADY_MS) attempt = 0;
      const ms = backoffMs(attempt, random());
      change(describeConnectionError(fault, target));
      log.warn({ jid, retryInMs: ms }, `component stream is down: ${status.lastError}`);
      await wait(ms, stopping.signal);
    }
    change('stopped');
  }

  const running = liveForEver();
  return {
    status: () => status,
    async stop() {
      stopping.abort();
      await connection?.close();
      await running;
    },
  };
}

async function waitFor(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {
    // Stopped: there is nothing more to wait for.
  });
}
