import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import xml, { type Element } from '@xmpp/xml';

const STREAM = 'http://etherx.jabber.org/streams';
const ID = 'a-stream-id';

export interface ServerBehaviour {
  /** What it takes as the secret. */
  secret: string;
  /** A stream error condition instead of an answer to the handshake. */
  refuseWith?: string | undefined;
  /** Sent together with the answer to the handshake. */
  inOneBreath?: string;
  /** Takes connections and never says a word. */
  mute?: boolean;
}

/** The server's half of XEP-0114, as far as a test wants it, so that every byte on the wire is known. */
export class ComponentServer {
  readonly behaviour: ServerBehaviour;
  /** Connections so far. */
  connections = 0;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly arrived: ComponentSession[] = [];
  private readonly awaited: ((session: ComponentSession) => void)[] = [];

  private constructor(behaviour: ServerBehaviour) {
    this.behaviour = behaviour;
    this.server = createServer((socket) => this.welcome(socket));
  }

  static async listen(behaviour: ServerBehaviour, port = 0): Promise<ComponentServer> {
    const server = new ComponentServer(behaviour);
    server.server.listen(port, '127.0.0.1');
    await once(server.server, 'listening');
    return server;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** The next stream that is through with its handshake. */
  session(): Promise<ComponentSession> {
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
    if (this.behaviour.mute) return;
    const session = new ComponentSession(socket);
    const expected = createHash('sha1').update(`${ID}${this.behaviour.secret}`).digest('hex');
    session.onHandshake = (digest) => {
      const refusal = this.behaviour.refuseWith ?? (digest === expected ? undefined : 'not-authorized');
      if (refusal === undefined) this.accept(session);
      else session.end(refusal);
    };
  }

  private accept(session: ComponentSession): void {
    session.write(`<handshake/>${this.behaviour.inOneBreath ?? ''}`);
    const take = this.awaited.shift();
    if (take) take(session);
    else this.arrived.push(session);
  }
}

/** One stream, seen from the server. */
export class ComponentSession {
  onHandshake: (digest: string) => void = () => undefined;
  readonly closed: Promise<unknown>;
  /** Of the component. */
  jid = '';
  /** Did the component say goodbye? */
  saidGoodbye = false;
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
      this.saidGoodbye = true;
    });
    socket.setEncoding('utf8').on('data', (text: string) => parser.write(text));
  }

  /** Bytes as they are; each call is a TCP segment of its own as far as the system lets it. */
  write(data: string | Buffer): void {
    this.socket.setNoDelay(true).write(data);
  }

  /** The next stanza of the component. */
  next(): Promise<Element> {
    const element = this.said.shift();
    if (element) return Promise.resolve(element);
    return new Promise((resolve) => this.awaited.push(resolve));
  }

  /** Sends one stanza and waits for one. */
  async ask(stanza: string): Promise<Element> {
    this.write(stanza);
    return this.next();
  }

  /** Ends the stream, with a stream error where one is named. */
  end(condition?: string): void {
    const error = `<${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>`;
    this.socket.end(`${condition ? `<stream:error>${error}</stream:error>` : ''}</stream:stream>`);
  }

  /** As if the cable were cut, but noticed. */
  cut(): void {
    this.socket.destroy();
  }

  private greet(header: Element): void {
    this.jid = header.attrs.to ?? '';
    const ours = `xmlns:stream='${STREAM}' xmlns='jabber:component:accept' id='${ID}' from='${this.jid}'`;
    this.write(`<?xml version='1.0'?><stream:stream ${ours}>`);
  }

  private hear(element: Element): void {
    const take = element.name === 'handshake' ? undefined : this.awaited.shift();
    if (element.name === 'handshake') this.onHandshake(element.getText());
    else if (take) take(element);
    else this.said.push(element);
  }
}
