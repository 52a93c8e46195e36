import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import xml, { type Element } from '@xmpp/xml';
import { createSelfSigned } from './self-signed-certificate.ts';

const HEADER = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='localhost' id='s1' version='1.0'>`;
const TLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl';
export const BIND = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";

export const features = (...children: readonly string[]) =>
  `<stream:features>${children.join('')}</stream:features>`;
export const mechanisms = (...names: readonly string[]) =>
  `<mechanisms xmlns='${SASL}'>${names.map((name) => `<mechanism>${name}</mechanism>`).join('')}</mechanisms>`;
export const sasl = (name: string, content = '') => `<${name} xmlns='${SASL}'>${content}</${name}>`;
export const starttls = TLS;

/** The server's half of a client stream, word by word as the test has it. */
export class FakeC2sServer {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(work: (visitor: FakeC2sConnection) => Promise<void>) {
    this.server = createServer((socket) => {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      // A visitor that hangs up in the middle is what many tests are about.
      work(new FakeC2sConnection(socket)).catch(() => undefined);
    });
  }

  static async listen(work: (visitor: FakeC2sConnection) => Promise<void>): Promise<FakeC2sServer> {
    const server = new FakeC2sServer(work);
    server.server.listen(0, '127.0.0.1');
    await once(server.server, 'listening');
    return server;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await once(this.server, 'close');
  }
}

/** One client that came. */
export class FakeC2sConnection {
  private socket: Socket;
  private said: Element[] = [];
  private wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** Waits for a stream header and answers it. */
  async openStream(...words: readonly string[]): Promise<void> {
    const parser = new xml.Parser();
    const opened = new Promise((resolve) => parser.once('start', resolve));
    parser.on('element', (element: Element) => {
      this.said.push(element);
      this.wake();
    });
    this.socket.removeAllListeners('data').on('data', (data: Buffer) => parser.write(data.toString()));
    await opened;
    this.write(HEADER + words.join(''));
  }

  write(words: string): void {
    this.socket.write(words);
  }

  async nextElement(): Promise<Element> {
    while (this.said.length === 0) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.said.shift() as Element;
  }

  /** Answers STARTTLS, with these words in the clear behind the answer. */
  async acceptStartTls(alsoInTheClear = ''): Promise<void> {
    await this.nextElement();
    this.socket.removeAllListeners('data');
    this.write(`<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>${alsoInTheClear}`);
    const secureContext = createSecureContext(createSelfSigned(['localhost']));
    const socket = new TLSSocket(this.socket, { isServer: true, secureContext });
    socket.on('error', () => undefined);
    this.socket = socket;
  }

  /** Lets it in by PLAIN, and gives it its resource. */
  async acceptPlainLogin(): Promise<void> {
    await this.openStream(features(mechanisms('PLAIN')));
    await this.nextElement();
    this.write(sasl('success'));
    await this.openStream(features(BIND));
    const bind = await this.nextElement();
    this.write(
      `<iq type='result' id='${bind.attrs.id}'>${BIND.replace('/>', '><jid>romeo@localhost/x</jid></bind>')}</iq>`,
    );
  }
}
