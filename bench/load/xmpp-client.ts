import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Account {
  readonly port: number;
  readonly domain: string;
  readonly user: string;
  readonly password: string;
}

/**
 * The least of an XMPP client that can ask for slots as fast as any server grants them, and hear what comes: plain TCP
 * on loopback, SASL PLAIN, no roster, and answers found by their end tag instead of by a parser.
 */
export class XmppClient {
  readonly #socket: Socket;
  #text = '';
  #hear: ((text: string) => void) | undefined;
  #wake: (() => void) | undefined;
  #fault: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true).setEncoding('utf8');
    socket.on('data', (text: string) => {
      if (this.#hear) return this.#hear(text);
      this.#text += text;
      this.#wake?.();
    });
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the XMPP server closed the connection')));
  }

  static async login({ port, domain, user, password }: Account): Promise<XmppClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const client = new XmppClient(socket);
    const open = `<stream:stream to='${domain}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`;
    await client.#say(`<?xml version='1.0'?>${open}`, '</stream:features>');
    const secret = Buffer.from(`\0${user}\0${password}`).toString('base64');
    await client.#say(
      `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${secret}</auth>`,
      '<success',
    );
    await client.#say(open, '</stream:features>');
    await client.#say(
      `<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`,
      '</iq>',
    );
    return client;
  }

  /**
   * Sends `count` requests, `window` of them at a time, and gives every answer to `onAnswer` as text. Resolves
   * when all are answered.
   */
  async sendIqs(
    count: number,
    window: number,
    request: (number: number) => string,
    onAnswer: (iq: string) => void,
  ): Promise<void> {
    this.#text = '';
    let sent = Math.min(window, count);
    let answered = 0;
    this.#socket.write(Array.from({ length: sent }, (_, number) => request(number)).join(''));
    while (answered < count) {
      const iqs = await this.#nextIqs();
      iqs.forEach(onAnswer);
      answered += iqs.length;
      const more = Math.min(iqs.length, count - sent);
      if (more > 0) this.#socket.write(Array.from({ length: more }, (_, i) => request(sent + i)).join(''));
      sent += more;
    }
  }

  /** Comes online; from now on all that the server sends goes to `onText`, in pieces as they come. */
  goOnline(onText: (text: string) => void): void {
    this.#hear = onText;
    this.#socket.write('<presence/>');
  }

  end(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.end('</stream:stream>');
  }

  async #nextIqs(): Promise<string[]> {
    await this.#until('</iq>');
    const end = this.#text.lastIndexOf('</iq>') + '</iq>'.length;
    const iqs = this.#text.slice(0, end).split('</iq>').slice(0, -1);
    this.#text = this.#text.slice(end);
    return iqs;
  }

  async #say(text: string, answer: string): Promise<void> {
    this.#text = '';
    this.#socket.write(text);
    await this.#until(answer);
  }

  async #until(answer: string): Promise<void> {
    while (!this.#text.includes(answer)) {
      if (this.#text.includes('<failure')) throw new Error(`the XMPP server refuses: ${this.#text}`);
      if (this.#fault) throw this.#fault;
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }

  #fail(error: Error): void {
    this.#fault ??= error;
    this.#wake?.();
  }
}
