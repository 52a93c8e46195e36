import { once } from 'node:events';
import type { Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import xml, { type Element } from '@xmpp/xml';

const STREAMS = 'http://etherx.jabber.org/streams';
/** Characters of one element, when the stream is set up. Servers pass on no longer ones. */
const LONGEST_ELEMENT = 4 * 1024 * 1024;
/** Before; whoever asks to log in chooses the server, and a hostile one could send without end. */
const LONGEST_BEFORE = 64 * 1024;
/** Elements that come before anybody listens. */
const MOST_UNHEARD = 100;
const GOODBYE_MS = 2_000;

/** A client's XML stream (RFC 6120 §4) on a socket that it owns. While it is set up elements are fetched one by one. */
export class XmlStream {
  /** Resolves when the socket is closed, with what was wrong where something was. */
  readonly ended: Promise<unknown>;
  /** When the server last said anything, as `performance.now()` has it. */
  lastReceivedAt = performance.now();
  #socket: Socket;
  #fault: unknown;
  #end: (fault: unknown) => void;
  #decoder = new TextDecoder('utf-8', { fatal: true });
  #parser: InstanceType<typeof xml.Parser> | undefined;
  #length = 0;
  #unheard: Element[] = [];
  #listener: ((element: Element) => void) | undefined;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.ended = promise;
    this.#end = resolve;
    this.#socket = socket;
    this.#attach(socket);
  }

  get isOpen(): boolean {
    return this.#socket.writable;
  }

  /** Opens a stream, or another one on the same socket, and resolves with the features that the server offers. */
  async open(domain: string): Promise<Element> {
    this.#decoder = new TextDecoder('utf-8', { fatal: true });
    this.#unheard = [];
    this.#length = 0;
    this.#parser = this.#newParser();
    const attrs = { to: domain, version: '1.0', xmlns: 'jabber:client', 'xmlns:stream': STREAMS };
    this.write(`<?xml version='1.0'?>${xml('stream:stream', attrs).toString().slice(0, -2)}>`);
    const features = await this.next();
    if (!features.is('features', STREAMS)) throw new Error('the server offers no features');
    return features;
  }

  /** The next element; rejects with a `StreamError` where the server ends the stream. */
  async next(): Promise<Element> {
    while (this.#unheard.length === 0) {
      if (!this.isOpen) throw this.#fault ?? new Error('the server closed the connection');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#unheard.shift() as Element;
  }

  /** From now on elements go here as they come. */
  listen(listener: (element: Element) => void): void {
    this.#listener = listener;
    for (const element of this.#unheard.splice(0)) listener(element);
  }

  /** What is written at the same moment leaves together. Throws where the stream is gone. */
  write(text: string): void {
    const socket = this.#socket;
    if (!socket.writable) throw new Error('the stream is gone');
    if (socket.writableCorked === 0) {
      socket.cork();
      process.nextTick(() => socket.uncork());
    }
    socket.write(text);
  }

  /** Goes on under TLS; what the server said before in the clear is forgotten. */
  async upgradeToTls(options: ConnectionOptions): Promise<void> {
    if (this.#unheard.length > 0) throw new Error('the server spoke before TLS began');
    const plain = this.#socket;
    // Its errors come out of the TLS socket.
    plain.removeAllListeners('data').removeAllListeners('close');
    this.#parser = undefined;
    const socket = connectTls({ ...options, socket: plain });
    this.#socket = socket;
    this.#attach(socket);
    // An error would otherwise come as an event that nobody awaits here.
    await Promise.race([once(socket, 'secureConnect'), this.ended.then(gone)]);
  }

  /** Says goodbye; resolves once the socket is closed. */
  async close(): Promise<void> {
    if (this.isOpen) this.#socket.end('</stream:stream>');
    const timer = setTimeout(() => this.#socket.destroy(), GOODBYE_MS);
    await this.ended;
    clearTimeout(timer);
  }

  destroy(fault: unknown): void {
    this.#fault ??= fault;
    this.#socket.destroy();
    this.#wake();
  }

  #attach(socket: Socket): void {
    socket.setNoDelay(true).setKeepAlive(true, 60_000);
    socket.on('data', (data: Buffer) => this.#hear(data));
    socket.on('error', (error) => {
      this.#fault ??= error;
    });
    socket.on('close', () => {
      this.#end(this.#fault);
      this.#wake();
    });
  }

  #newParser() {
    const parser = new xml.Parser();
    parser.on('element', (element: Element) => this.#take(element));
    parser.on('error', (error: Error) => this.destroy(error));
    parser.on('end', () => {
      this.#parser = undefined;
      this.#socket.destroySoon();
    });
    return parser;
  }

  #hear(data: Buffer): void {
    this.lastReceivedAt = performance.now();
    try {
      const text = this.#decoder.decode(data, { stream: true });
      this.#length += text.length;
      this.#parser?.write(text);
      if (this.#length > (this.#listener ? LONGEST_ELEMENT : LONGEST_BEFORE))
        throw new Error('the server sends an element without end');
    } catch (error) {
      this.destroy(error);
    }
  }

  #take(element: Element): void {
    this.#length = 0;
    if (element.is('error', STREAMS)) this.destroy(new StreamError(element));
    else if (this.#listener) this.#listener(element);
    else this.#keep(element);
  }

  #keep(element: Element): void {
    this.#unheard.push(element);
    if (this.#unheard.length > MOST_UNHEARD) this.destroy(new Error('the server speaks without being asked'));
    this.#wake();
  }
}

/** A stream error (RFC 6120 §4.9). */
export class StreamError extends Error {
  readonly condition: string;

  constructor(element: Element) {
    const [first] = element.getChildElements();
    const text = element.getChild('text')?.getText();
    super(text ?? first?.getName() ?? 'the server ended the stream');
    this.condition = first?.getName() ?? 'undefined-condition';
  }
}

function gone(fault: unknown): never {
  throw fault ?? new Error('the server closed the connection');
}
