import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import xml, { type Element } from '@xmpp/xml';

const STREAM = 'http://etherx.jabber.org/streams';
const ID = 'a-stream-id';

export interface FakeComponentServerOptions {
  /** What it takes as the secret. */
  secret: string;
  /** A stream error condition instead of an answer to the handshake. */
  streamError?: string | undefined;
  /** Sent together with the answer to the handshake. */
  sentWithHandshake?: string;
  /** Takes connections and never says a word. */
  silent?: boolean;
}

/** The server's half of XEP-0114, as far as a test wants it, so that every byte on the wire is known. */
export class FakeComponentServer {
  readonly options: FakeComponentServerOptions;
  /** Connections so far. */
  connections = 0;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly arrived: FakeComponentStream[] = [];
  private readonly awaited: ((nextStream: FakeComponentStream) => void)[] = [];

  private constructor(options: FakeComponentServerOptions) {
    this.options = options;
    this.server = createServer((socket) => this.welcome(socket));
  }

  static async listen(options: FakeComponentServerOptions, port = 0): Promise<FakeComponentServer> {
    const server = new FakeComponentServer(options);
    server.server.listen(port, '127.0.0.1');
    await once(server.server, 'listening');
    return server;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** The next stream that is through with its handshake. */
  nextStream(): Promise<FakeComponentStream> {
    const session = this.arrived.shift();
    if (session) return Promise.resolve(session);
    return new Promise((resolve) => this.awaited.push(resolve));
  }

  async stop(): Promise<void> {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await once(this.server, 'close');
  }

  private welcome(socket: Socket): void {
    this.connections += 1;
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    // Dropped by the other side in the middle of a test: what matters is that it comes back.
    socket.on('error', () => socket.destroy());
    if (this.options.silent) return;
    const session = new FakeComponentStream(socket);
    const expected = createHash('sha1').update(`${ID}${this.options.secret}`).digest('hex');
    session.onHandshake = (digest) => {
      const refusal = this.options.streamError ?? (digest === expected ? undefined : 'not-authorized');
      if (refusal === undefined) this.accept(session);
      else session.end(refusal);
    };
  }

  private accept(nextStream: FakeComponentStream): void {
    nextStream.write(`<handshake/>${this.options.sentWithHandshake ?? ''}`);
    const take = this.awaited.shift();
    if (take) take(nextStream);
    else this.arrived.push(nextStream);
  }
}

/** One stream, seen from the server. */
export class FakeComponentStream {
  onHandshake: (digest: string) => void = () => undefined;
  readonly closed: Promise<unknown>;
  /** Of the component. */
  jid = '';
  /** Did the component say goodbye? */
  endedStream = false;
  private readonly socket: Socket;
  private readonly said: Element[] = [];
  private readonly awaited: ((element: Element) => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    this.closed = once(socket, 'close');
    const parser = new xml.Parser();
    parser.on('start', (header: Element) => this.greet(header));
    parser.on('element', (element: Element) => this.hear(element));
    parser.on('end', () => {
      this.endedStream = true;
    });
    socket.setEncoding('utf8').on('data', (text: string) => parser.write(text));
  }

  /** Bytes as they are; each call is a TCP segment of its own as far as the system lets it. */
  write(data: string | Buffer): void {
    this.socket.setNoDelay(true).write(data);
  }

  /** The next stanza of the component. */
  nextStanza(): Promise<Element> {
    const element = this.said.shift();
    if (element) return Promise.resolve(element);
    return new Promise((resolve) => this.awaited.push(resolve));
  }

  /** Sends one stanza and waits for one. */
  async request(stanza: string): Promise<Element> {
    this.write(stanza);
    return this.nextStanza();
  }

  /** Ends the stream, with a stream error where one is named. */
  end(condition?: string): void {
    const error = `<${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>`;
    this.socket.end(`${condition ? `<stream:error>${error}</stream:error>` : ''}</stream:stream>`);
  }

  /** As if the cable were cut, but noticed. */
  destroy(): void {
    this.socket.destroy();
  }

  private greet(header: Element): void {
    this.jid = header.attrs.to ?? '';
    const isPorter = `xmlns:stream='${STREAM}' xmlns='jabber:component:accept' id='${ID}' from='${this.jid}'`;
    this.write(`<?xml version='1.0'?><stream:stream ${isPorter}>`);
  }

  private hear(element: Element): void {
    const take = element.name === 'handshake' ? undefined : this.awaited.shift();
    if (element.name === 'handshake') this.onHandshake(element.getText());
    else if (take) take(element);
    else this.said.push(element);
  }
}
