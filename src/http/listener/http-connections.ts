import type { IncomingMessage } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { networkOf } from '../../base/addresses.ts';
import type { Logger } from '../../base/log.ts';
import { fileDescriptorLimit } from '../../base/system-resources.ts';
import {
  type AddressMatcher,
  connectionAddress,
  getClientInfo,
  isForwardedByTrustedProxy,
  UNIX_SOCKET,
} from '../common/client-info.ts';
import { normalizeAddress } from '../common/forwarded.ts';
import {
  ConnectionTable,
  connectionLimitsFor,
  type DropReason,
  type OpenConnection,
} from './connection-limit.ts';
import { replacedSocket } from './non-ascii-target.ts';

const NONE: AddressMatcher = () => false;

export interface ConnectionSettings {
  readonly log: Logger;
  /** Called for each connection that a limit closes. */
  readonly onConnectionDropped?: (reason: DropReason) => void;
  /** `trusted_proxies`. Connections of these proxies stand for many clients. Without it, none is trusted. */
  readonly trustedProxies?: () => AddressMatcher;
}

/**
 * Applies the limits to the connections of all listeners, and knows which of them have requests in progress. A connection with
 * TLS counts from the moment when TCP has connected; the socket that is ready for HTTP is a different object.
 */
export class HttpConnections {
  readonly #settings: ConnectionSettings;
  readonly #table: ConnectionTable;
  /** The connection of each socket that is ready for HTTP. */
  readonly #connectionOf = new WeakMap<Socket, OpenConnection>();
  /** The client of each request in progress that a trusted proxy forwards. */
  readonly #forwardedFor = new WeakMap<IncomingMessage, string>();
  /** Connections with TLS by their addresses and ports. */
  readonly #encrypted = new Map<string, OpenConnection>();

  constructor(settings: ConnectionSettings, limits = connectionLimitsFor(fileDescriptorLimit())) {
    this.#settings = settings;
    this.#table = new ConnectionTable(limits, {
      log: settings.log,
      onDrop: (reason) => settings.onConnectionDropped?.(reason),
    });
  }

  get size(): number {
    return this.#table.size;
  }

  /** Registers a connection before its TLS handshake. Returns false if a limit has closed it. */
  beginHandshake(socket: Socket): boolean {
    const connection = this.#table.admit(socket, this.#limitedClient(socket.remoteAddress));
    if (connection === undefined) return false;
    const key = endpointsOf(socket);
    this.#encrypted.set(key, connection);
    socket.once('close', () => this.#encrypted.delete(key));
    return true;
  }

  /** Registers a socket that is ready for HTTP. Returns false if a limit has closed it. */
  admit(socket: Socket, isTls: boolean): boolean {
    const connection = this.#find(socket, isTls);
    if (connection !== undefined) this.#connectionOf.set(socket, connection);
    return connection !== undefined;
  }

  #find(socket: Socket, isTls: boolean): OpenConnection | undefined {
    const replaced = replacedSocket(socket);
    if (replaced !== undefined) return this.#connectionOf.get(replaced);
    if (isTls) return this.#encrypted.get(endpointsOf(socket));
    return this.#table.admit(socket, this.#limitedClient(connectionAddress(socket)));
  }

  /** Registers a request until `endRequest`. Returns false if its client, behind a trusted proxy, is over its limit. */
  beginRequest(request: IncomingMessage): boolean {
    const connection = this.#connectionOf.get(request.socket);
    if (connection === undefined) return true;
    connection.requests += 1;
    const client = connection.client === undefined ? this.#forwardedClient(request) : undefined;
    if (client === undefined) return true;
    if (!this.#table.beginForwarded(client)) return false;
    this.#forwardedFor.set(request, client);
    return true;
  }

  endRequest(request: IncomingMessage): void {
    const client = this.#forwardedFor.get(request);
    if (client !== undefined) this.#table.endForwarded(client);
    const connection = this.#connectionOf.get(request.socket);
    if (connection === undefined) return;
    connection.requests -= 1;
    connection.idleSince = performance.now();
  }

  isBusy(socket: Socket): boolean {
    return (this.#connectionOf.get(socket)?.requests ?? 0) > 0;
  }

  /** Returns the network of the client that a trusted proxy names, or undefined if it names none. */
  #forwardedClient(request: IncomingMessage): string | undefined {
    const trusted = this.#settings.trustedProxies?.() ?? NONE;
    if (!isForwardedByTrustedProxy(request, trusted)) return undefined;
    const { address } = getClientInfo(request, trusted);
    return isIP(address) === 0 || trusted(address) ? undefined : networkOf(address);
  }

  /** Returns the address whose connections are limited, or undefined if it stands for many clients. */
  #limitedClient(address: string | undefined): string | undefined {
    if (address === undefined || address === UNIX_SOCKET) return undefined;
    const normalized = normalizeAddress(address);
    return this.#settings.trustedProxies?.()(normalized) ? undefined : normalized;
  }
}

function endpointsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
