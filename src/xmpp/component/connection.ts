import { EventEmitter } from 'node:events';
import { isIPv6 } from 'node:net';
import { Component } from '@xmpp/component-core';
import type { Element } from '@xmpp/xml';
import { replaceSkippedStanza } from '../../stanza/error-reply.ts';
import { STANZA_BUDGET, XmlStreamReader } from '../../stanza/xml-reader.ts';

export interface ComponentConnectionOptions {
  /** JID of the component. */
  readonly jid: string;
  readonly secret: string;
  readonly server: { readonly host: string; readonly port: number };
}

/** Gets each stanza and the function that writes an answer to the stream that brought it. Must not throw. */
export type StanzaListener = (stanza: Element, write: ComponentConnection['write']) => void;

/** One component stream (XEP-0114) after its handshake. */
export interface ComponentConnection {
  /** Rejects if the stream has ended. */
  send(element: Element): Promise<void>;
  /** Writes behind everything that was written or sent before. Throws if the stream has ended. */
  write(text: string): void;
  /** Number of chunks received so far: unchanged while the server is silent. */
  receivedCount(): number;
  /** Resolves when the stream has ended: with the error, or with undefined after an orderly close. */
  readonly ended: Promise<unknown>;
  /** Closes the stream and resolves once the socket is closed. */
  close(): Promise<void>;
  /** Closes the socket at once; `ended` resolves with this reason. */
  destroy(reason: Error): void;
}

/** For each step: TCP connect, stream header, handshake. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Connects and authenticates. Rejects with the socket error or with the stream error of the server. */
export async function openComponentConnection(
  options: ComponentConnectionOptions,
  onStanza: StanzaListener,
  signal: AbortSignal,
): Promise<ComponentConnection> {
  const entity = new GuardedComponent({ service: serviceUrl(options), domain: options.jid });
  let firstError: unknown;
  entity.on('error', (error: unknown) => {
    firstError ??= error;
  });
  const ended = new Promise<unknown>((resolve) => {
    entity.once('disconnect', () => {
      resolve(firstError);
      // Rejects the promises inside the library that would otherwise wait for their timeout.
      entity.emit('error', new Error('the connection has ended'));
    });
  });
  // The server has sent its closing tag.
  entity.on('close', () => entity.endStream());
  const write = (text: string) => entity.writeText(text);
  entity.on('stanza', (stanza: Element) => onStanza(stanza, write));
  const destroy = (reason: Error) => {
    firstError ??= reason;
    entity.socket?.destroy();
  };
  const abort = () => destroy(new Error('stopped'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([performHandshake(entity, options, destroy), ended.then(throwEndReason)]);
  } catch (error) {
    destroy(error as Error);
    throw firstError ?? error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
  return {
    send: (element) => entity.send(element),
    write,
    receivedCount: () => entity.receivedCount,
    ended,
    async close() {
      entity.endStream();
      await ended;
    },
    destroy,
  };
}

function throwEndReason(error: unknown): never {
  throw error ?? new Error('the server closed the connection');
}

function serviceUrl({ server: { host, port } }: ComponentConnectionOptions): string {
  return `xmpp://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

async function performHandshake(
  entity: GuardedComponent,
  options: ComponentConnectionOptions,
  destroy: (reason: Error) => void,
): Promise<void> {
  const timer = setTimeout(() => destroy(new Error('no answer')), HANDSHAKE_TIMEOUT_MS);
  try {
    const connected = entity.connect(serviceUrl(options));
    // The library decodes each chunk separately, which would break a character that spans two TCP chunks.
    entity.socket?.setEncoding('utf8').setNoDelay(true);
    await connected;
    const header = await entity.open({ domain: options.jid });
    // XEP-0114 section 3: the server's header has an id. The component's own header has none, and comes back from an echo
    // server, or from TCP itself if the local port of the connection happens to be the port of a server that is down.
    const { id } = header.attrs;
    if (!id) throw Object.assign(new Error('the stream header has no id'), { code: 'NO_STREAM_ID' });
    await entity.authenticate(id, options.secret);
  } finally {
    clearTimeout(timer);
  }
}

/** The parser that xmpp.js expects. Unlike the parser of the library, it throws instead of emitting `error`. */
class StreamParser extends EventEmitter {
  readonly #reader = new XmlStreamReader(STANZA_BUDGET, {
    onHeader: (header) => this.emit('start', header),
    onElement: (element) => this.emit('element', element),
    onOverBudget: (element, error) => {
      const replacement = replaceSkippedStanza(element, error);
      if (replacement !== undefined) this.emit('element', replacement);
    },
    onEnd: () => this.emit('end'),
  });

  write(text: string): void {
    this.#reader.write(text);
  }
}

/** The component of xmpp.js with a linear parser. Prevents unhandled errors in the event loop and timers that outlive the stream. */
class GuardedComponent extends Component {
  receivedCount = 0;
  override timeout = HANDSHAKE_TIMEOUT_MS;
  protected override Parser = StreamParser;

  /** Text that was written in this tick. It is sent in one piece, which is faster than one write for each stanza. */
  #unsent = '';

  /** Writes the closing tag behind everything that is queued, then closes the socket. */
  endStream(): void {
    this.#flush();
    if (this.socket?.writable) this.socket.write('</stream:stream>');
    this.socket?.destroySoon();
  }

  override write(text: string): Promise<void> {
    this.#flush();
    return super.write(text);
  }

  writeText(text: string): void {
    if (!this.socket?.writable) throw new Error('the connection has ended');
    if (this.#unsent === '') process.nextTick(() => this.#flush());
    this.#unsent += text;
  }

  #flush(): void {
    const text = this.#unsent;
    this.#unsent = '';
    if (text !== '' && this.socket?.writable) this.socket.write(text);
  }

  protected override _onData(data: Buffer | string): void {
    this.receivedCount += 1;
    // After the server's closing tag the library has no parser, but white space may still arrive.
    if (this.parser === null) return;
    try {
      super._onData(data);
    } catch (error) {
      this.socket?.destroy(error as Error);
    }
  }

  /** The library would wait for answers that may never come, on timers that outlive the stream. */
  protected override async _end(): Promise<void> {
    this.endStream();
  }

  /** XEP-0114 has no redirects: the next attempt connects to the configured server again. */
  protected override async _onSeeOtherHost(error: Error): Promise<void> {
    this.emit('error', error);
  }
}
