import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import xml, { type Element } from '@xmpp/xml';

const STREAM = 'http://etherx.jabber.org/streams';
const ID = 'a-stream-id';

export interface FakeComponentServerOptions {
  /** The secret that it accepts. */
  secret: string;
  /** The stream error condition to send instead of accepting the handshake. */
  streamError?: string | undefined;
  /** Sent in the same write as the answer to the handshake. */
  sentWithHandshake?: string;
  /** Accepts connections and never sends anything. */
  silent?: boolean;
  /** Sends back every byte that it receives. */
  echo?: boolean;
}

/** The server side of XEP-0114. The test controls every byte on the wire. */
export class FakeComponentServer {
  readonly options: FakeComponentServerOptions;
  /** Connections so far. */
  connections = 0;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly streams: FakeComponentStream[] = [];
  private readonly waiting: ((nextStream: FakeComponentStream) => void)[] = [];

  private constructor(options: FakeComponentServerOptions) {
    this.options = options;
    this.server = createServer((socket) => this.accept(socket));
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

  /** Resolves with the next stream whose handshake succeeded. */
  nextStream(): Promise<FakeComponentStream> {
    const stream = this.streams.shift();
    if (stream) return Promise.resolve(stream);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  async stop(): Promise<void> {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await once(this.server, 'close');
  }

  private accept(socket: Socket): void {
    this.connections += 1;
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    // Components are stopped in the middle of tests.
    socket.on('error', () => socket.destroy());
    if (this.options.silent) return;
    if (this.options.echo) return void socket.pipe(socket);
    const stream = new FakeComponentStream(socket);
    const expected = createHash('sha1').update(`${ID}${this.options.secret}`).digest('hex');
    stream.onHandshake = (digest) => {
      const condition = this.options.streamError ?? (digest === expected ? undefined : 'not-authorized');
      if (condition === undefined) this.acceptHandshake(stream);
      else stream.end(condition);
    };
  }

  private acceptHandshake(stream: FakeComponentStream): void {
    stream.write(`<handshake/>${this.options.sentWithHandshake ?? ''}`);
    const resolve = this.waiting.shift();
    if (resolve) resolve(stream);
    else this.streams.push(stream);
  }
}

/** One stream, from the server's side. */
export class FakeComponentStream {
  onHandshake: (digest: string) => void = () => undefined;
  readonly closed: Promise<unknown>;
  /** The JID of the component. */
  jid = '';
  /** Whether the component closed its stream with `</stream:stream>`. */
  endedStream = false;
  private readonly socket: Socket;
  private readonly received: Element[] = [];
  private readonly waiting: ((element: Element) => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    // Unlike `once`, this does not reject if the component resets the connection.
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    const parser = new xml.Parser();
    parser.on('start', (header: Element) => this.answerHeader(header));
    parser.on('element', (element: Element) => this.receive(element));
    parser.on('end', () => {
      this.endedStream = true;
    });
    socket.setEncoding('utf8').on('data', (text: string) => parser.write(text));
  }

  /** Writes raw bytes; each call is a separate TCP segment if the system allows it. */
  write(data: string | Buffer): void {
    this.socket.setNoDelay(true).write(data);
  }

  /** Resolves with the next stanza of the component. */
  nextStanza(): Promise<Element> {
    const element = this.received.shift();
    if (element) return Promise.resolve(element);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Sends one stanza and resolves with the next one received. */
  async request(stanza: string): Promise<Element> {
    this.write(stanza);
    return this.nextStanza();
  }

  /** Ends the stream, with a stream error if a condition is given. */
  end(condition?: string): void {
    const error = `<${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>`;
    this.socket.end(`${condition ? `<stream:error>${error}</stream:error>` : ''}</stream:stream>`);
  }

  /** Closes the TCP connection without closing the stream. */
  destroy(): void {
    this.socket.destroy();
  }

  private answerHeader(header: Element): void {
    this.jid = header.attrs.to ?? '';
    const attributes = `xmlns:stream='${STREAM}' xmlns='jabber:component:accept' id='${ID}' from='${this.jid}'`;
    this.write(`<?xml version='1.0'?><stream:stream ${attributes}>`);
  }

  private receive(element: Element): void {
    const resolve = element.name === 'handshake' ? undefined : this.waiting.shift();
    if (element.name === 'handshake') this.onHandshake(element.getText());
    else if (resolve) resolve(element);
    else this.received.push(element);
  }
}
