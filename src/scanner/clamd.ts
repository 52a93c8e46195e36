import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  formatScannerAddress,
  type Scanner,
  type ScannerAddress,
  ScannerError,
  type ScanResult,
} from './contract.ts';

/*
 * The protocol of clamd (man 8 clamd, "COMMANDS"). A command that begins with `z` ends with a NUL byte, and so does its reply. Chunks
 * follow the command `zINSTREAM`: for each, its length in 4 bytes, big-endian, and then its bytes. A length of 0 ends the stream.
 */

/** Bytes of a chunk. clamd reads it at once. */
const CHUNK_BYTES = 128 * 1024;
/** clamd sends one line. */
const MAX_REPLY_BYTES = 4096;
/** Time in which clamd must refuse a length. It does that before it reads the bytes. */
const REFUSAL_TIMEOUT_MS = 2000;
/** The largest length of a chunk. */
const MAX_LENGTH = 2 ** 32 - 1;

/** Creates a scanner that uses clamd. Each scan has one connection. */
export function createClamd(): Scanner {
  return {
    async scan(address, bytes, signal) {
      let sent = 0;
      try {
        return await withConnection(address, signal, async (clamd) => {
          clamd.socket.write('zINSTREAM\0');
          await sendStream(clamd, bytes, (length) => {
            sent += length;
          });
          return parseScanReply(await clamd.reply, address);
        });
      } catch (error) {
        if (error instanceof ScannerError && (await refusesLength(address, sent, signal)))
          return { kind: 'too_large' };
        throw error;
      }
    },
  };
}

/**
 * Returns whether clamd refuses a stream of this length. When a stream gets too large, clamd replies and closes the connection. If the
 * next chunk is written at that moment, the connection fails before the reply is read, as if clamd had crashed.
 */
async function refusesLength(address: ScannerAddress, bytes: number, signal: AbortSignal): Promise<boolean> {
  if (bytes === 0) return false;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(REFUSAL_TIMEOUT_MS)]);
  const refused = withConnection(address, limit, async ({ socket, reply }) => {
    socket.write('zINSTREAM\0');
    socket.write(lengthPrefix(Math.min(bytes, MAX_LENGTH)));
    return parseScanReply(await reply, address).kind === 'too_large';
  });
  return await refused.catch(() => false);
}

/** Sends a command such as `PING` or `VERSION`, and returns the reply. Throws `ScannerError`. */
export function askClamd(address: ScannerAddress, command: string, signal: AbortSignal): Promise<string> {
  return withConnection(address, signal, async ({ socket, reply }) => {
    socket.write(`z${command}\0`);
    return await reply;
  });
}

interface ClamdConnection {
  readonly socket: Socket;
  /** Rejects if the connection ends before the reply. */
  readonly reply: Promise<string>;
  readonly hasReply: () => boolean;
}

/** Opens a connection to clamd for `work`, and closes it afterwards. Throws `ScannerError` if the connection fails or the signal aborts. */
async function withConnection<T>(
  address: ScannerAddress,
  signal: AbortSignal,
  work: (connection: ClamdConnection) => Promise<T>,
): Promise<T> {
  const socket = connect('path' in address ? { path: address.path } : { ...address, noDelay: true });
  const abort = () => socket.destroy(new Error('it has not answered in time'));
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  let isAnswered = false;
  const reply = readReply(socket).finally(() => {
    isAnswered = true;
  });
  // `work` may fail before it waits for the reply.
  reply.catch(() => undefined);
  try {
    return await work({ socket, reply, hasReply: () => isAnswered });
  } catch (error) {
    if (error instanceof ScannerError || !isSocketError(socket, error)) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ScannerError(`clamd at ${formatScannerAddress(address)}: ${reason}`, error);
  } finally {
    signal.removeEventListener('abort', abort);
    socket.destroy();
  }
}

/** Returns false for errors of the store that provides the bytes. */
const isSocketError = (socket: Socket, error: unknown) =>
  socket.errored === error || error instanceof ConnectionEnd;

class ConnectionEnd extends Error {}

function readReply(socket: Socket): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    text += chunk;
    const end = text.indexOf('\0');
    if (end >= 0) resolve(text.slice(0, end).trim());
    else if (text.length > MAX_REPLY_BYTES) socket.destroy(new ConnectionEnd('its reply is too long'));
  });
  socket.on('error', reject);
  socket.on('close', () => reject(new ConnectionEnd('it has closed the connection without a reply')));
  return promise;
}

/** Sends the bytes. Stops when clamd replies: it replies before the end if the stream is larger than its `StreamMaxLength`. */
async function sendStream(
  { socket, reply, hasReply }: ClamdConnection,
  bytes: AsyncIterable<Uint8Array>,
  onSend: (length: number) => void,
): Promise<void> {
  for await (const chunk of bytes) {
    for (let at = 0; at < chunk.length; at += CHUNK_BYTES) {
      if (hasReply()) return;
      const part = chunk.subarray(at, at + CHUNK_BYTES);
      onSend(part.length);
      socket.cork();
      socket.write(lengthPrefix(part.length));
      // Copied, because the source may reuse the chunk as soon as the next one is requested.
      const hasRoom = socket.write(Buffer.from(part));
      socket.uncork();
      if (!hasRoom) await Promise.race([once(socket, 'drain'), reply]);
    }
  }
  if (!hasReply()) socket.write(Buffer.alloc(4));
}

function lengthPrefix(length: number): Buffer {
  const prefix = Buffer.allocUnsafe(4);
  prefix.writeUInt32BE(length);
  return prefix;
}

/** Parses `stream: OK`, `stream: NAME FOUND`, `INSTREAM size limit exceeded. ERROR` or `stream: REASON ERROR`. */
function parseScanReply(reply: string, address: ScannerAddress): ScanResult {
  if (reply === 'stream: OK') return { kind: 'clean' };
  const [, signature] = /^stream: (.+) FOUND$/.exec(reply) ?? [];
  if (signature !== undefined) return { kind: 'infected', signature };
  if (reply.startsWith('INSTREAM size limit exceeded')) return { kind: 'too_large' };
  throw new ScannerError(`clamd at ${formatScannerAddress(address)} replied: ${reply.slice(0, 200)}`);
}
