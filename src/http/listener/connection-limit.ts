import type { Socket } from 'node:net';
import { networkOf } from '../../base/addresses.ts';
import type { Logger } from '../../base/log.ts';

export interface ConnectionLimits {
  /** Connections of this process. */
  readonly total: number;
  /**
   * Connections of one client address, and requests in progress that a trusted proxy forwards for it. An IPv6 client is its
   * /64 network. Trusted proxies and Unix sockets themselves have no such limit.
   */
  readonly perClient: number;
}

/** Why a connection was closed before its request: the two limits, or to make room for a new connection. */
export type DropReason = 'total_limit' | 'client_limit' | 'made_room';

/** A connection has a socket and, during a transfer, an open file. */
const DESCRIPTORS_PER_CONNECTION = 2;
/** File descriptors for the stores, the XMPP streams and the log. */
const MAX_RESERVED_DESCRIPTORS = 256;
/** Applies if the system has no lower limit. A connection takes about 20 KB of memory. */
const MAX_TOTAL = 16_384;
const MIN_PER_CLIENT = 8;
/** One client gets at most a quarter of all connections. */
const CLIENTS = 4;

/** Returns the limits for a process that may have `descriptors` files and sockets open; undefined means no limit. */
export function connectionLimitsFor(
  descriptors: number | undefined,
  configured: { readonly max?: number | null; readonly max_per_client?: number | null } = {},
): ConnectionLimits {
  const available = descriptors ?? Number.POSITIVE_INFINITY;
  const reserved = Math.min(MAX_RESERVED_DESCRIPTORS, Math.ceil(available / 3));
  const derived = Math.floor((available - reserved) / DESCRIPTORS_PER_CONNECTION);
  const total = configured.max ?? Math.max(1, Math.min(MAX_TOTAL, derived));
  const perClient = configured.max_per_client ?? Math.max(MIN_PER_CLIENT, Math.floor(total / CLIENTS));
  return { total, perClient: Math.min(total, perClient) };
}

/** An open connection. It is idle while `requests` is 0, also during its TLS handshake and its first header. */
export interface OpenConnection {
  readonly socket: Socket;
  /** Undefined for trusted proxies and Unix sockets, which stand for many clients. */
  readonly client: string | undefined;
  /** Requests without a complete answer. */
  requests: number;
  /** `performance.now()` when it became idle. */
  idleSince: number;
}

export interface ConnectionTableServices {
  readonly log: Logger;
  readonly onDrop: (reason: DropReason) => void;
}

const LOG_INTERVAL_MS = 10_000;

/**
 * Counts connections, and requests that trusted proxies forward, and keeps them within the limits. Refuses a new connection of a
 * client that is at its limit. At the total limit, closes an idle connection to make room: one of the client with the most
 * connections, and of these the one that has been idle for longest. Refuses the new connection if none is idle.
 */
export class ConnectionTable {
  readonly #limits: ConnectionLimits;
  readonly #services: ConnectionTableServices;
  readonly #open = new Set<OpenConnection>();
  readonly #countOf = new Map<string, number>();
  readonly #dropped: Record<DropReason, number> = { total_limit: 0, client_limit: 0, made_room: 0 };
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(limits: ConnectionLimits, services: ConnectionTableServices) {
    this.#limits = limits;
    this.#services = services;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Registers a new connection until it closes. Destroys it and returns undefined if it is over a limit. */
  admit(socket: Socket, address: string | undefined): OpenConnection | undefined {
    const client = address === undefined ? undefined : networkOf(address);
    const reason = this.#refusalFor(client);
    if (reason !== undefined) {
      socket.destroy();
      this.#report(reason, address);
      return undefined;
    }
    const connection = { socket, client, requests: 0, idleSince: performance.now() };
    this.#add(connection);
    socket.once('close', () => this.#delete(connection));
    return connection;
  }

  /**
   * Counts a request that a trusted proxy forwards for this client until `endForwarded`. Returns false if the client is over
   * its limit.
   */
  beginForwarded(client: string): boolean {
    if (this.#isOverLimit(client)) {
      this.#report('client_limit', client);
      return false;
    }
    this.#countOf.set(client, this.#connectionsOf(client) + 1);
    return true;
  }

  endForwarded(client: string): void {
    this.#countDown(client);
  }

  #isOverLimit(client: string | undefined): boolean {
    return client !== undefined && this.#connectionsOf(client) >= this.#limits.perClient;
  }

  #refusalFor(client: string | undefined): DropReason | undefined {
    if (this.#isOverLimit(client)) return 'client_limit';
    if (this.#open.size < this.#limits.total) return undefined;
    const idle = this.#findIdle();
    if (idle === undefined) return 'total_limit';
    this.#delete(idle);
    idle.socket.destroy();
    this.#report('made_room', idle.client);
    return undefined;
  }

  /** Returns the connection to close first, or undefined if all are busy. */
  #findIdle(): OpenConnection | undefined {
    let found: OpenConnection | undefined;
    for (const connection of this.#open)
      if (connection.requests === 0 && (found === undefined || this.#goesBefore(connection, found)))
        found = connection;
    return found;
  }

  #goesBefore(one: OpenConnection, other: OpenConnection): boolean {
    const difference = this.#connectionsOf(one.client) - this.#connectionsOf(other.client);
    return difference === 0 ? one.idleSince < other.idleSince : difference > 0;
  }

  #connectionsOf(client: string | undefined): number {
    return client === undefined ? 0 : (this.#countOf.get(client) ?? 0);
  }

  #add(connection: OpenConnection): void {
    this.#open.add(connection);
    const { client } = connection;
    if (client !== undefined) this.#countOf.set(client, this.#connectionsOf(client) + 1);
  }

  #delete(connection: OpenConnection): void {
    const { client } = connection;
    if (this.#open.delete(connection) && client !== undefined) this.#countDown(client);
  }

  #countDown(client: string): void {
    const left = this.#connectionsOf(client) - 1;
    if (left > 0) this.#countOf.set(client, left);
    else this.#countOf.delete(client);
  }

  /** Counts a closed connection. Logs at most one line in ten seconds, so that many connections do not fill the log. */
  #report(reason: DropReason, client: string | undefined): void {
    this.#services.onDrop(reason);
    this.#dropped[reason] += 1;
    const now = performance.now();
    if (now - this.#loggedAt < LOG_INTERVAL_MS) return;
    this.#loggedAt = now;
    this.#services.log.warn(
      { reason, client, open: this.#open.size, limits: this.#limits, dropped: { ...this.#dropped } },
      'connections were closed because of a limit: see connections.max and connections.max_per_client',
    );
  }
}
