import {
  createServer,
  type Server as HttpListener,
  type IncomingMessage,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type Server as TlsListener } from 'node:https';
import type { Socket } from 'node:net';
import type { ListenAddress } from '../../base/addresses.ts';
import { recordConnection } from '../common/client-info.ts';
import { delayContinue } from '../common/request-body.ts';
import { createTargetNormalizer, pathOfTarget } from '../common/request-target.ts';
import { sendEmpty } from '../common/send-response.ts';
import { loadCertificate, type TlsFiles } from './certificate.ts';
import type { ConnectionLimits } from './connection-limit.ts';
import { type ConnectionSettings, HttpConnections } from './http-connections.ts';
import { formatListenAddress, listen } from './listen.ts';
import { isReplaced, ReplayedSocket, reparseWithEncodedTarget } from './non-ascii-target.ts';
import { PorterResponse } from './porter-response.ts';

/** Handles requests of file endpoints without the router. */
export interface DataPlane {
  /** Returns whether a path, without its query, belongs to a file endpoint. */
  owns(path: string): boolean;
  handle(request: IncomingMessage, response: ServerResponse): unknown;
  /** Handles a request whose client waits for `100 Continue` before it sends the body. */
  handleContinue(request: IncomingMessage, response: ServerResponse): unknown;
}

export interface HttpServerServices extends ConnectionSettings {
  readonly dataPlane: DataPlane;
  /** Handles all other requests: `routing` of the router. */
  readonly route: (request: IncomingMessage, response: ServerResponse) => void;
}

export interface HttpServerSettings {
  readonly listen: readonly ListenAddress[];
  /** TLS on every TCP address; Unix sockets stay plain. */
  readonly tls?: TlsFiles | null | undefined;
  /** True if other workers listen on the same addresses. */
  readonly shared?: boolean;
  /** Base URLs whose paths may precede Porter's paths: `public_url`, `download_url`. */
  readonly baseUrls: readonly (string | null | undefined)[];
  /** Milliseconds within which all headers must arrive; default 60 s. */
  readonly headersTimeoutMs?: number;
  /** Default: derived from the file descriptor limit. */
  readonly connectionLimits?: ConnectionLimits;
}

const HEADERS_TIMEOUT_MS = 60_000;
/** Longer than the 60 s of nginx and most load balancers, so that they close idle connections first. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** For a client with too many requests in progress. */
const BUSY_CLIENT_RETRY_SECONDS = 5;
const MAX_HEADER_BYTES = 16 * 1024;
/** A paused body keeps one read (up to 64 KiB) in memory instead of two. */
const READ_AHEAD_BYTES = 16 * 1024;

type Listener = HttpListener | TlsListener;

/**
 * Listens on all configured addresses with one handler.
 *
 * | state | new connections | requests |
 * |---|---|---|
 * | running | accepted | `inFlight` until their response closes |
 * | stopping (`stop` was called) | refused | idle connections are closed; responses in flight end with `Connection: close` |
 * | after `graceMs` | refused | all remaining connections are destroyed |
 */
export class HttpServer {
  private readonly services: HttpServerServices;
  private readonly settings: HttpServerSettings;
  private readonly normalizeTarget: (target: string) => string;
  private readonly listeners: Listener[] = [];
  private readonly tlsListeners: TlsListener[] = [];
  /** Connections that are ready for HTTP. */
  private readonly sockets = new Set<Socket>();
  /** Connections below TLS, including those whose handshake is not complete. */
  private readonly rawSockets = new Set<Socket>();
  private readonly inFlight = new Set<ServerResponse>();
  private readonly connections: HttpConnections;
  private isStopping = false;

  constructor(services: HttpServerServices, settings: HttpServerSettings) {
    this.services = services;
    this.settings = settings;
    this.connections = new HttpConnections(services, settings.connectionLimits);
    this.normalizeTarget = createTargetNormalizer(settings.baseUrls, (path) => services.dataPlane.owns(path));
  }

  /** Listens on every address. If one fails, closes all and throws `ListenError` or `TlsError`. */
  async start(): Promise<void> {
    try {
      for (const address of this.settings.listen) await this.open(address);
    } catch (error) {
      await this.stop({ graceMs: 0 });
      throw error;
    }
  }

  /** The bound addresses; port 0 is replaced by the assigned port. */
  get addresses(): ListenAddress[] {
    return this.listeners.map((listener) => {
      const bound = listener.address();
      if (bound === null) throw new Error('The server is not listening.');
      return typeof bound === 'string' ? { path: bound } : { host: bound.address, port: bound.port };
    });
  }

  /** Number of open connections, idle ones included. */
  get openConnections(): number {
    return this.connections.size;
  }

  /** Uses the current certificate files for new connections. Throws `TlsError` and keeps the old ones if they are invalid. */
  async reloadCertificate(tls = this.settings.tls): Promise<void> {
    if (Boolean(tls) !== Boolean(this.settings.tls))
      this.services.log.warn('TLS was turned on or off in the config: restart Porter to apply this');
    if (!tls || this.tlsListeners.length === 0) return;
    const context = await this.readContext(tls);
    for (const listener of this.tlsListeners) listener.setSecureContext(context);
  }

  /** Stops accepting connections, waits up to `graceMs` milliseconds for requests in flight, then closes the rest. */
  async stop({ graceMs }: { graceMs: number }): Promise<void> {
    this.isStopping = true;
    const closed = this.listeners.map((listener) => new Promise((done) => listener.close(done)));
    const busy = new Set([...this.inFlight].map((response) => response.req.socket));
    for (const socket of this.sockets) if (!busy.has(socket)) socket.destroy();
    const timer = setTimeout(() => this.destroyAll(), graceMs);
    await Promise.all(closed);
    clearTimeout(timer);
  }

  private destroyAll(): void {
    if (this.inFlight.size > 0)
      this.services.log.warn({ requests: this.inFlight.size }, 'requests were aborted at shutdown');
    for (const socket of [...this.sockets, ...this.rawSockets]) socket.destroy();
  }

  private async open(address: ListenAddress): Promise<void> {
    const isUnix = 'path' in address;
    const { tls } = this.settings;
    const listener = tls && !isUnix ? await this.createTls(tls) : createServer(this.options());
    this.attach(listener, isUnix);
    await listen(listener, address, this.settings.shared);
    listener.on('error', (error) =>
      this.services.log.error({ err: error }, 'a connection could not be accepted'),
    );
    this.listeners.push(listener);
    this.services.log.info(
      { address: formatListenAddress(address), tls: Boolean(tls && !isUnix) },
      'listening',
    );
  }

  private options(): ServerOptions {
    const headersTimeout = this.settings.headersTimeoutMs ?? HEADERS_TIMEOUT_MS;
    return {
      // Uploads may take long; the file server limits idle time instead (docs/protocols.md, "PUT answers").
      requestTimeout: 0,
      headersTimeout,
      connectionsCheckingInterval: Math.min(headersTimeout, 5000),
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      highWaterMark: READ_AHEAD_BYTES,
      noDelay: true,
      ServerResponse: PorterResponse,
    };
  }

  private async createTls(tls: TlsFiles): Promise<TlsListener> {
    const context = await this.readContext(tls);
    const listener = createTlsServer({
      ...this.options(),
      ...context,
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    this.tlsListeners.push(listener);
    return listener;
  }

  private async readContext(tls: TlsFiles) {
    const { context, warning } = await loadCertificate(tls, Date.now());
    if (warning !== undefined) this.services.log.warn(warning);
    return context;
  }

  private attach(listener: Listener, isUnix: boolean): void {
    const { dataPlane, route } = this.services;
    const isTls = this.tlsListeners.includes(listener as TlsListener);
    const event = isTls ? 'secureConnection' : 'connection';
    if (isTls)
      listener.on('connection', (socket: Socket) => {
        if (this.connections.beginHandshake(socket)) trackSocket(this.rawSockets, socket);
      });
    listener.on(event, (socket: Socket) => {
      recordConnection(socket, isUnix);
      if (this.connections.admit(socket, isTls)) trackSocket(this.sockets, socket);
    });
    listener.on('request', (request, response) => {
      if (!this.register(request, response)) return;
      if (dataPlane.owns(this.accept(request, response))) dataPlane.handle(request, response);
      else route(request, response);
    });
    listener.on('checkContinue', (request, response) => {
      if (!this.register(request, response)) return;
      if (dataPlane.owns(this.accept(request, response))) {
        dataPlane.handleContinue(request, response);
      } else {
        delayContinue(request, () => response.writeContinue());
        route(request, response);
      }
    });
    listener.on('clientError', (error, socket) => {
      if (!this.handledWithoutReply(listener, event, error, socket as Socket))
        this.answerParseError(error, socket as Socket);
    });
  }

  /** Registers a request. Refuses it and returns false if its client has too many in progress. */
  private register(request: IncomingMessage, response: ServerResponse): boolean {
    this.inFlight.add(response);
    response.on('close', this.unregister);
    if (this.connections.beginRequest(request)) return true;
    response.shouldKeepAlive = false;
    // Without a text, because clients save the body of an error as the file.
    sendEmpty(response, 503, ['Retry-After', String(BUSY_CLIENT_RETRY_SECONDS)]);
    return false;
  }

  /** Normalizes the target of a request and returns its path. */
  private accept(request: IncomingMessage, response: ServerResponse): string {
    const isLast = this.isStopping || (request.socket as unknown) instanceof ReplayedSocket;
    if (isLast) response.setHeader('Connection', 'close');
    request.url = this.normalizeTarget(request.url ?? '/');
    return pathOfTarget(request.url);
  }

  // One function for all responses, because it is used for every request.
  private readonly unregister = (() => {
    const server = this;
    return function (this: ServerResponse): void {
      server.inFlight.delete(this);
      server.connections.endRequest(this.req);
      if (server.isStopping && !server.connections.isBusy(this.req.socket)) endIdle(this.req.socket);
    };
  })();

  /** Returns true if the request is parsed again with an encoded target, or if another parser has the connection already. */
  private handledWithoutReply(listener: Listener, event: string, error: Error, socket: Socket): boolean {
    if (isReplaced(socket)) return true;
    if (this.connections.isBusy(socket) || !reparseWithEncodedTarget(listener, event, error, socket))
      return false;
    this.sockets.delete(socket);
    return true;
  }

  private answerParseError(error: NodeJS.ErrnoException, socket: Socket): void {
    if (this.connections.isBusy(socket) || !socket.writable) socket.destroy();
    else socket.end(`HTTP/1.1 ${statusLine(error)}\r\nConnection: close\r\nCache-Control: no-store\r\n\r\n`);
  }
}

function trackSocket(sockets: Set<Socket>, socket: Socket): void {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
}

/** Closes a keep-alive connection after everything has been written. */
function endIdle(socket: Socket): void {
  if (!socket.destroyed) socket.end(() => socket.destroy());
}

function statusLine(error: NodeJS.ErrnoException): string {
  if (error.code === 'HPE_HEADER_OVERFLOW') return '431 Request Header Fields Too Large';
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return '408 Request Timeout';
  return '400 Bad Request';
}
