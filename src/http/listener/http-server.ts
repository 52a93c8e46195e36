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
import type { Logger } from '../../base/log.ts';
import { recordConnection } from '../common/client-info.ts';
import { createTargetNormalizer, pathOfTarget } from '../common/request-target.ts';
import { loadCertificate, type TlsFiles } from './certificate.ts';
import { formatListenAddress, listen } from './listen.ts';
import { isReplaced, ReplayedSocket, reparseWithEncodedTarget } from './non-ascii-target.ts';

/** Requests that never see a framework: the data plane. */
export interface DataPlane {
  /** Is this path, without its query, one of the door's? */
  owns(path: string): boolean;
  handle(request: IncomingMessage, response: ServerResponse): unknown;
  /** The client waits for `100 Continue` before it sends its body; the door says whether it comes. */
  handleContinue(request: IncomingMessage, response: ServerResponse): unknown;
}

export interface HttpServerServices {
  readonly log: Logger;
  readonly dataPlane: DataPlane;
  /** Everything else: the router's `routing`. */
  readonly route: (request: IncomingMessage, response: ServerResponse) => void;
}

export interface HttpServerSettings {
  readonly listen: readonly ListenAddress[];
  /** TLS on every TCP address; Unix sockets stay plain. */
  readonly tls?: TlsFiles | null | undefined;
  /** Do other processes of ours listen on the same addresses? */
  readonly shared?: boolean;
  /** Base URLs whose paths may stand before ours: `public_url`, `download_url`. */
  readonly baseUrls: readonly (string | null | undefined)[];
  /** Milliseconds for the headers of a request to arrive whole; 60 s unless a test is in a hurry. */
  readonly headersTimeoutMs?: number;
}

const HEADERS_TIMEOUT = 60_000;
/** Above the 60 s for which nginx and most balancers keep an idle connection, so that they close first. */
const KEEP_ALIVE_TIMEOUT = 75_000;
const HANDSHAKE_TIMEOUT = 10_000;
const MAX_HEADER_BYTES = 16 * 1024;
/** A body that is held back keeps one read (up to 64 KiB) in memory, not two. */
const READ_AHEAD = 16 * 1024;

type Listener = HttpListener | TlsListener;

/** Every address that HTTP is taken on, with one handler behind all of them. */
export class HttpServer {
  private readonly deps: HttpServerServices;
  private readonly settings: HttpServerSettings;
  private readonly readTarget: (target: string) => string;
  private readonly listeners: Listener[] = [];
  private readonly tlsListeners: TlsListener[] = [];
  /** Connections that speak HTTP, and those on which TLS is still being agreed on. */
  private readonly sockets = new Set<Socket>();
  private readonly rawSockets = new Set<Socket>();
  private readonly inFlight = new Set<ServerResponse>();
  private stopping = false;

  constructor(deps: HttpServerServices, settings: HttpServerSettings) {
    this.deps = deps;
    this.settings = settings;
    this.readTarget = createTargetNormalizer(settings.baseUrls, (path) => deps.dataPlane.owns(path));
  }

  /** Listens on every address or, with a `ListenFault` or `TlsFault`, on none. */
  async start(): Promise<void> {
    try {
      for (const address of this.settings.listen) await this.open(address);
    } catch (error) {
      await this.stop({ graceMs: 0 });
      throw error;
    }
  }

  /** The addresses as they are really bound (port 0 has become one). */
  get addresses(): ListenAddress[] {
    return this.listeners.map((listener) => {
      const bound = listener.address();
      if (bound === null) throw new Error('not listening');
      return typeof bound === 'string' ? { path: bound } : { host: bound.address, port: bound.port };
    });
  }

  /** Takes a new certificate for new connections; throws `TlsFault` and keeps the old one where it is no good. */
  async reloadCertificate(tls = this.settings.tls): Promise<void> {
    if (Boolean(tls) !== Boolean(this.settings.tls))
      this.deps.log.warn('turning TLS on or off takes a restart');
    if (!tls || this.tlsListeners.length === 0) return;
    const context = await this.readContext(tls);
    for (const listener of this.tlsListeners) listener.setSecureContext(context);
  }

  /** Stops taking work, lets requests in flight end for `graceMs` milliseconds, then cuts what is left. */
  async stop({ graceMs }: { graceMs: number }): Promise<void> {
    this.stopping = true;
    const closed = this.listeners.map((listener) => new Promise((done) => listener.close(done)));
    const busy = new Set([...this.inFlight].map((response) => response.req.socket));
    for (const socket of this.sockets) if (!busy.has(socket)) socket.destroy();
    const cut = setTimeout(() => this.cutAll(), graceMs);
    await Promise.all(closed);
    clearTimeout(cut);
  }

  private cutAll(): void {
    if (this.inFlight.size > 0)
      this.deps.log.warn({ requests: this.inFlight.size }, 'requests cut at the end');
    for (const socket of [...this.sockets, ...this.rawSockets]) socket.destroy();
  }

  private async open(address: ListenAddress): Promise<void> {
    const isUnix = 'path' in address;
    const { tls } = this.settings;
    const listener = tls && !isUnix ? await this.createTls(tls) : createServer(this.options());
    this.attach(listener, isUnix);
    await listen(listener, address, this.settings.shared);
    listener.on('error', (error) => this.deps.log.error({ err: error }, 'a connection could not be taken'));
    this.listeners.push(listener);
    this.deps.log.info({ address: formatListenAddress(address), tls: Boolean(tls && !isUnix) }, 'listening');
  }

  private options(): ServerOptions {
    const headersTimeout = this.settings.headersTimeoutMs ?? HEADERS_TIMEOUT;
    return {
      // A long upload is no fault (FIELD 0.12); the data plane looks for bodies that stand still.
      requestTimeout: 0,
      headersTimeout,
      connectionsCheckingInterval: Math.min(headersTimeout, 5000),
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
      maxHeaderSize: MAX_HEADER_BYTES,
      highWaterMark: READ_AHEAD,
      noDelay: true,
    };
  }

  private async createTls(tls: TlsFiles): Promise<TlsListener> {
    const context = await this.readContext(tls);
    const listener = createTlsServer({
      ...this.options(),
      ...context,
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: HANDSHAKE_TIMEOUT,
    });
    this.tlsListeners.push(listener);
    return listener;
  }

  private async readContext(tls: TlsFiles) {
    const { context, warning } = await loadCertificate(tls, Date.now());
    if (warning !== undefined) this.deps.log.warn(warning);
    return context;
  }

  private attach(listener: Listener, isUnix: boolean): void {
    const { dataPlane, route } = this.deps;
    const secure = this.tlsListeners.includes(listener as TlsListener);
    if (secure) listener.on('connection', (socket: Socket) => keepIn(this.rawSockets, socket));
    const event = secure ? 'secureConnection' : 'connection';
    listener.on(event, (socket: Socket) => {
      recordConnection(socket, isUnix);
      keepIn(this.sockets, socket);
    });
    listener.on('request', (request, response) => {
      if (dataPlane.owns(this.take(request, response))) dataPlane.handle(request, response);
      else route(request, response);
    });
    listener.on('checkContinue', (request, response) => {
      if (dataPlane.owns(this.take(request, response))) {
        dataPlane.handleContinue(request, response);
      } else {
        response.writeContinue();
        route(request, response);
      }
    });
    listener.on('clientError', (error, socket) => {
      if (!this.readOn(listener, event, error, socket as Socket))
        this.answerNonsense(error, socket as Socket);
    });
  }

  /** Notes the request, puts its target into our form, and gives its path. */
  private take(request: IncomingMessage, response: ServerResponse): string {
    this.inFlight.add(response);
    response.on('close', this.forget);
    const last = this.stopping || (request.socket as unknown) instanceof ReplayedSocket;
    if (last) response.setHeader('Connection', 'close');
    request.url = this.readTarget(request.url ?? '/');
    return pathOfTarget(request.url);
  }

  // One function for all responses: this runs for every request.
  private readonly forget = (() => {
    const server = this;
    return function (this: ServerResponse): void {
      server.inFlight.delete(this);
      if (server.stopping && !server.isBusy(this.req.socket)) endIdle(this.req.socket);
    };
  })();

  private isBusy(socket: Socket): boolean {
    for (const response of this.inFlight) if (response.req.socket === socket) return true;
    return false;
  }

  /** Is there nothing to complain of, or no longer to this connection? */
  private readOn(listener: Listener, event: string, error: Error, socket: Socket): boolean {
    if (isReplaced(socket)) return true;
    if (this.isBusy(socket) || !reparseWithEncodedTarget(listener, event, error, socket)) return false;
    this.sockets.delete(socket);
    return true;
  }

  private answerNonsense(error: NodeJS.ErrnoException, socket: Socket): void {
    if (this.isBusy(socket) || !socket.writable) socket.destroy();
    else socket.end(`HTTP/1.1 ${statusOf(error)}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  }
}

function keepIn(sockets: Set<Socket>, socket: Socket): void {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
}

/** Ends a connection whose answer promised to keep it open, once all of it is on its way. */
function endIdle(socket: Socket): void {
  if (!socket.destroyed) socket.end(() => socket.destroy());
}

function statusOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'HPE_HEADER_OVERFLOW') return '431 Request Header Fields Too Large';
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return '408 Request Timeout';
  return '400 Bad Request';
}
