import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';

/** Error of Node's HTTP parser for a request target that it refuses. */
interface ParseError extends NodeJS.ErrnoException {
  /** The bytes that it was parsing. */
  readonly rawPacket?: Buffer;
  /** How many bytes of the packet it has accepted. */
  readonly bytesParsed?: number;
}

/** A valid request line, except for bytes above 0x7F in its target. */
const REQUEST_LINE = /^(?:GET|HEAD|PUT|OPTIONS|DELETE|POST) \/[\x21-\x7e\x80-\xff]* HTTP\/1\.[01]\r?$/;
const LINE_FEED = 0x0a;

/**
 * Percent-encodes the bytes above 0x7F in the request target. Returns undefined if the packet does not begin with such a
 * request line or has another error.
 */
export function encodeRequestTarget(packet: Buffer): Buffer | undefined {
  const end = packet.indexOf(LINE_FEED);
  const line = packet.toString('latin1', 0, Math.max(end, 0));
  if (!REQUEST_LINE.test(line) || !/[\x80-\xff]/.test(line)) return undefined;
  const encoded = line.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
  return Buffer.concat([Buffer.from(encoded, 'latin1'), packet.subarray(end)]);
}

/**
 * Returns whether the parser stopped at the target in the first line of the packet. If it stopped later, the packet begins
 * with other bytes, such as the rest of a body, which must never be read as a request.
 */
function isInFirstLine(error: ParseError): error is ParseError & { readonly rawPacket: Buffer } {
  const { code, rawPacket, bytesParsed = Number.POSITIVE_INFINITY } = error;
  return code === 'HPE_INVALID_URL' && rawPacket !== undefined && bytesParsed < rawPacket.indexOf(LINE_FEED);
}

const replaced = new WeakSet<Socket>();

/** Returns whether a `ReplayedSocket` has replaced this connection. Errors of its first parser are then ignored. */
export function isReplaced(socket: Socket): boolean {
  return replaced.has(socket);
}

/**
 * Accepts a request whose target has raw UTF-8, which Node's parser refuses. ejabberd 25.10 and later put it into links
 * (docs/protocols.md, "ejabberd"). A new parser reads the connection from the start of this request. Returns false if the
 * request has another error.
 */
export function reparseWithEncodedTarget(
  listener: Server,
  event: string,
  error: ParseError,
  socket: Socket,
): boolean {
  const packet = isInFirstLine(error) ? encodeRequestTarget(error.rawPacket) : undefined;
  if (packet === undefined || socket.destroyed) return false;
  replaced.add(socket);
  socket.removeAllListeners('data').removeAllListeners('end');
  listener.emit(event, new ReplayedSocket(socket, packet));
  return true;
}

/** Returns the socket that a `ReplayedSocket` replaces; undefined for any other socket. */
export function replacedSocket(socket: unknown): Socket | undefined {
  return socket instanceof ReplayedSocket ? socket.replaced : undefined;
}

/** A connection that first returns bytes which another parser has already read. */
export class ReplayedSocket extends Duplex {
  readonly #socket: Socket;
  readonly replaced: Socket;
  readonly encrypted: boolean;
  readonly remoteAddress: string | undefined;

  constructor(socket: Socket, first: Buffer) {
    super({ allowHalfOpen: socket.allowHalfOpen });
    this.#socket = socket;
    this.replaced = socket;
    this.encrypted = (socket as TLSSocket).encrypted === true;
    this.remoteAddress = socket.remoteAddress;
    this.push(first);
    socket.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) socket.pause();
    });
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  /** Like `net.Socket.destroySoon`: destroys the socket after everything has been written. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }
}
