import { once } from 'node:events';
import type { Socket } from 'node:net';
import {
  type ConnectionOptions,
  connect as connectTls,
  type DetailedPeerCertificate,
  TLSSocket,
} from 'node:tls';
import xml, { type Element } from '@xmpp/xml';
import { replaceSkippedStanza } from '../../stanza/error-reply.ts';
import { STANZA_BUDGET, type XmlBudget, XmlStreamReader } from '../../stanza/xml-reader.ts';
import { bindChannel, type ChannelBinding } from './channel-binding.ts';

const STREAMS = 'http://etherx.jabber.org/streams';
/** During the login: users choose the server, so it may be hostile. */
const LOGIN_BUDGET: XmlBudget = { maxLength: 64 * 1024, maxDepth: 16, maxNodes: 2_000 };
/** Elements that may be queued before they are read by `next`. */
const MAX_QUEUED_ELEMENTS = 100;
const CLOSE_TIMEOUT_MS = 2_000;

/** Receives the elements that the server sends after the login. */
export interface StreamListener {
  onElement(element: Element): void;
  /** A message or presence was skipped, because it exceeds the budget of a stanza. */
  onSkipped(): void;
}

export interface PeerCertificate {
  /** Undefined if the certificate is valid. */
  readonly error: unknown;
  readonly certificate: DetailedPeerCertificate;
}

/**
 * A client's XML stream (RFC 6120 §4). It owns its socket.
 *
 * | phase  | entered by                                | elements of the server                          |
 * |--------|-------------------------------------------|-------------------------------------------------|
 * | login  | constructor; `open` restarts the stream   | queued; read one by one with `next`             |
 * | active | `listen`                                  | passed to the listener as they arrive           |
 * | ended  | closing tag, error, `close` or `destroy`  | none; `ended` resolves when the socket is closed |
 */
export class XmlStream {
  /** Resolves when the socket is closed: with the error, or with undefined after an orderly close. */
  readonly ended: Promise<unknown>;
  /** Time of the last received data, on the clock of `performance.now()`. */
  lastReceivedAt = performance.now();
  #socket: Socket;
  #firstError: unknown;
  #resolveEnded: (error: unknown) => void;
  #decoder = new TextDecoder('utf-8', { fatal: true });
  #reader: XmlStreamReader | undefined;
  #queue: Element[] = [];
  #listener: StreamListener | undefined;
  #wakeReader: () => void = () => undefined;

  constructor(socket: Socket) {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.ended = promise;
    this.#resolveEnded = resolve;
    this.#socket = socket;
    this.#attach(socket);
  }

  get isOpen(): boolean {
    return this.#socket.writable;
  }

  /** See `bindChannel`. */
  channelBinding(types: readonly string[]): ChannelBinding | undefined {
    return bindChannel(this.#socket, types);
  }

  /** Returns the certificate of the server with its issuers, and why it is not valid. Undefined without TLS. */
  get peerCertificate(): PeerCertificate | undefined {
    const socket = this.#socket;
    if (!(socket instanceof TLSSocket)) return undefined;
    const error: unknown = socket.authorizationError;
    return { error: error || undefined, certificate: socket.getPeerCertificate(true) };
  }

  /** Opens the stream, or restarts it on the same socket (RFC 6120 §4.3.3). Returns the stream features. */
  async open(domain: string): Promise<Element> {
    this.#decoder = new TextDecoder('utf-8', { fatal: true });
    this.#queue = [];
    this.#reader = this.#createReader();
    const attrs = { to: domain, version: '1.0', xmlns: 'jabber:client', 'xmlns:stream': STREAMS };
    this.write(`<?xml version='1.0'?>${xml('stream:stream', attrs).toString().slice(0, -2)}>`);
    return this.nextFeatures();
  }

  /** Returns the stream features, which are the next element after a header, and after a login by SASL2. */
  async nextFeatures(): Promise<Element> {
    const features = await this.next();
    if (!features.is('features', STREAMS)) throw new Error('the server sent no stream features');
    return features;
  }

  /** Returns the next element. Rejects with a `StreamError` if the server ends the stream with one. */
  async next(): Promise<Element> {
    while (this.#queue.length === 0) {
      if (!this.isOpen) throw this.#firstError ?? new Error('the server closed the connection');
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
    }
    return this.#queue.shift() as Element;
  }

  /** Passes the queued elements and all later ones to the listener. */
  listen(listener: StreamListener): void {
    this.#listener = listener;
    if (this.#reader !== undefined) this.#reader.budget = STANZA_BUDGET;
    for (const element of this.#queue.splice(0)) listener.onElement(element);
  }

  /** Texts that are written in the same tick leave in one packet. Throws if the stream has ended. */
  write(text: string): void {
    const socket = this.#socket;
    if (!socket.writable) throw new Error('the stream has ended');
    corkForThisTick(socket);
    socket.write(text);
  }

  /** Starts TLS on the socket. Throws if the server has sent another complete element unencrypted; discards an incomplete one. */
  async upgradeToTls(options: ConnectionOptions): Promise<void> {
    if (this.#queue.length > 0) throw new Error('the server sent data before TLS started');
    const plainSocket = this.#socket;
    // The TLS socket reports the errors of the plain one.
    plainSocket.removeAllListeners('data').removeAllListeners('close');
    this.#reader = undefined;
    const tlsSocket = connectTls({ ...options, socket: plainSocket });
    this.#socket = tlsSocket;
    this.#attach(tlsSocket);
    // `once` does not reject if the socket closes without an error.
    await Promise.race([once(tlsSocket, 'secureConnect'), this.ended.then(throwEndReason)]);
  }

  /** Sends the closing tag. Resolves once the socket is closed, after two seconds at the latest. */
  async close(): Promise<void> {
    if (this.isOpen) this.#socket.end('</stream:stream>');
    const timer = setTimeout(() => this.#socket.destroy(), CLOSE_TIMEOUT_MS);
    await this.ended;
    clearTimeout(timer);
  }

  /** Closes the socket at once. `next` and `ended` report this reason unless there was an earlier error. */
  destroy(reason: unknown): void {
    this.#firstError ??= reason;
    this.#socket.destroy();
    this.#wakeReader();
  }

  #attach(socket: Socket): void {
    socket.setNoDelay(true).setKeepAlive(true, 60_000);
    socket.on('data', (data: Buffer) => this.#receive(data));
    socket.on('error', (error) => {
      this.#firstError ??= error;
    });
    socket.on('close', () => {
      this.#resolveEnded(this.#firstError);
      this.#wakeReader();
    });
  }

  #createReader(): XmlStreamReader {
    return new XmlStreamReader(LOGIN_BUDGET, {
      onElement: (element) => this.#handleElement(element),
      onOverBudget: (element, error) => {
        if (!this.#listener) throw error;
        const replacement = replaceSkippedStanza(element, error);
        if (replacement === undefined) this.#listener.onSkipped();
        else this.#listener.onElement(replacement);
      },
      onEnd: () => {
        this.#reader = undefined;
        this.#socket.destroySoon();
      },
    });
  }

  #receive(data: Buffer): void {
    this.lastReceivedAt = performance.now();
    try {
      this.#reader?.write(this.#decoder.decode(data, { stream: true }));
    } catch (error) {
      this.destroy(error);
    }
  }

  #handleElement(element: Element): void {
    if (element.is('error', STREAMS)) this.destroy(new StreamError(element));
    else if (this.#listener) this.#listener.onElement(element);
    else this.#enqueue(element);
  }

  #enqueue(element: Element): void {
    this.#queue.push(element);
    if (this.#queue.length > MAX_QUEUED_ELEMENTS) {
      this.destroy(new Error('the server sent too many elements during the login'));
    }
    this.#wakeReader();
  }
}

/** A stream error of the server (RFC 6120 §4.9). */
export class StreamError extends Error {
  readonly condition: string;

  constructor(element: Element) {
    const [first] = element.getChildElements();
    const text = element.getChild('text')?.getText();
    super(text ?? first?.getName() ?? 'the server ended the stream');
    this.condition = first?.getName() ?? 'undefined-condition';
  }
}

function throwEndReason(error: unknown): never {
  throw error ?? new Error('the server closed the connection');
}

/** Collects everything that is written in this tick, so that it leaves in one packet. */
function corkForThisTick(socket: Socket): void {
  if (socket.writableCorked > 0) return;
  socket.cork();
  process.nextTick(() => socket.uncork());
}
