import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';

/** What Node's parser says of a request whose target it does not take. */
interface ParseError extends NodeJS.ErrnoException {
  /** The bytes that it was reading. */
  readonly rawPacket?: Buffer;
}

/** A request line that is fine but for bytes that no URL may have unencoded. */
const REQUEST_LINE = /^(?:GET|HEAD|PUT|OPTIONS|DELETE|POST) \/[\x21-\x7e\x80-\xff]* HTTP\/1\.[01]\r?$/;
const LINE_FEED = 0x0a;

/**
 * The same bytes with those of the target encoded that have to be; undefined where they do not begin with such a
 * request line or where that is not all that is wrong with it.
 */
export function encodeRequestTarget(packet: Buffer): Buffer | undefined {
  const end = packet.indexOf(LINE_FEED);
  const line = packet.toString('latin1', 0, Math.max(end, 0));
  if (!REQUEST_LINE.test(line) || !/[\x80-\xff]/.test(line)) return undefined;
  const encoded = line.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
  return Buffer.concat([Buffer.from(encoded, 'latin1'), packet.subarray(end)]);
}

const relayed = new WeakSet<Socket>();

/** Has another connection taken over this one? Then what its first parser still has to say is of no interest. */
export function isReplaced(socket: Socket): boolean {
  return relayed.has(socket);
}

/**
 * Lets a request through whose target has raw UTF-8, as newer ejabberds put it into links and some clients send
 * it on (FIELD 5.5): Node's parser refuses it. Its connection is read on from the start of this request by a new
 * parser. False where something else is wrong with it.
 */
export function reparseWithEncodedTarget(
  listener: Server,
  event: string,
  error: ParseError,
  socket: Socket,
): boolean {
  const packet =
    error.code === 'HPE_INVALID_URL' && error.rawPacket ? encodeRequestTarget(error.rawPacket) : undefined;
  if (packet === undefined || socket.destroyed) return false;
  relayed.add(socket);
  socket.removeAllListeners('data').removeAllListeners('end');
  listener.emit(event, new ReplayedSocket(socket, packet));
  return true;
}

/** A connection of which some bytes have been read already. */
export class ReplayedSocket extends Duplex {
  readonly #socket: Socket;
  readonly encrypted: boolean;
  readonly remoteAddress: string | undefined;

  constructor(socket: Socket, first: Buffer) {
    super({ allowHalfOpen: socket.allowHalfOpen });
    this.#socket = socket;
    this.encrypted = (socket as TLSSocket).encrypted === true;
    this.remoteAddress = socket.remoteAddress;
    this.push(first);
    socket.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) socket.pause();
    });
    socket.on('end', () => this.push(null));
    socket.on('error', (fault) => this.destroy(fault));
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

  /** As of a real socket: ends once all that was written is on its way. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }
}
