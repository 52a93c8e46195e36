import { createHash } from 'node:crypto';
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

/** The server side of a client stream (RFC 6120). The test scripts every element that it sends. */
export class FakeC2sServer {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(script: (client: FakeC2sConnection) => Promise<void>) {
    this.server = createServer((socket) => {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      // Many tests close the connection in the middle of the script.
      script(new FakeC2sConnection(socket)).catch(() => undefined);
    });
  }

  static async listen(script: (client: FakeC2sConnection) => Promise<void>): Promise<FakeC2sServer> {
    const server = new FakeC2sServer(script);
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

/** One connection from a client. */
export class FakeC2sConnection {
  private socket: Socket;
  private received: Element[] = [];
  private wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** Waits for a stream header and answers it; `elements` follow the answer in the same write. */
  async openStream(...elements: readonly string[]): Promise<void> {
    const parser = new xml.Parser();
    const opened = new Promise((resolve) => parser.once('start', resolve));
    parser.on('element', (element: Element) => {
      this.received.push(element);
      this.wake();
    });
    this.socket.removeAllListeners('data').on('data', (data: Buffer) => parser.write(data.toString()));
    await opened;
    this.write(HEADER + elements.join(''));
  }

  write(text: string): void {
    this.socket.write(text);
  }

  async nextElement(): Promise<Element> {
    while (this.received.length === 0) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.received.shift() as Element;
  }

  /** The channel binding of the TLS connection, as the server computes it. */
  channelBinding(type: 'tls-exporter' | 'tls-server-end-point'): Buffer {
    const socket = this.socket as TLSSocket;
    if (type === 'tls-exporter') {
      return socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
    }
    return createHash('sha256')
      .update(socket.getX509Certificate()?.raw ?? '')
      .digest();
  }

  /** Answers STARTTLS and continues with TLS; `plaintext` is sent unencrypted behind the answer. */
  async acceptStartTls(plaintext = ''): Promise<void> {
    await this.nextElement();
    this.socket.removeAllListeners('data');
    this.write(`<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>${plaintext}`);
    const secureContext = createSecureContext(createSelfSigned(['localhost']));
    const socket = new TLSSocket(this.socket, { isServer: true, secureContext });
    socket.on('error', () => undefined);
    this.socket = socket;
  }

  /** Accepts a login with SASL PLAIN and binds `boundJid`. `otherFeatures` are announced after the login. */
  async acceptPlainLogin(boundJid = 'romeo@localhost/x', ...otherFeatures: readonly string[]): Promise<void> {
    await this.openStream(features(mechanisms('PLAIN')));
    await this.nextElement();
    this.write(sasl('success'));
    await this.openStream(features(BIND, ...otherFeatures));
    const bind = await this.nextElement();
    this.write(
      `<iq type='result' id='${bind.attrs.id}'>${BIND.replace('/>', `><jid>${boundJid}</jid></bind>`)}</iq>`,
    );
  }
}
