import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Account {
  readonly port: number;
  readonly domain: string;
  readonly user: string;
  readonly password: string;
}

/**
 * A minimal XMPP client, fast enough for any server: plain TCP on loopback, SASL PLAIN, no roster, and responses found by
 * their end tag instead of a parser.
 */
export class XmppClient {
  readonly #socket: Socket;
  #text = '';
  #onText: ((text: string) => void) | undefined;
  #wake: (() => void) | undefined;
  #error: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true).setEncoding('utf8');
    socket.on('data', (text: string) => {
      if (this.#onText) return this.#onText(text);
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
    await client.#send(`<?xml version='1.0'?>${open}`, '</stream:features>');
    const secret = Buffer.from(`\0${user}\0${password}`).toString('base64');
    await client.#send(
      `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${secret}</auth>`,
      '<success',
    );
    await client.#send(open, '</stream:features>');
    await client.#send(
      `<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`,
      '</iq>',
    );
    return client;
  }

  /** Sends `count` iqs, `window` at a time, and passes every answer to `onAnswer` as text. Resolves after the last. */
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

  /** Sends presence; from now on everything received is passed to `onText`, in chunks. */
  goOnline(onText: (text: string) => void): void {
    this.#onText = onText;
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

  async #send(text: string, answer: string): Promise<void> {
    this.#text = '';
    this.#socket.write(text);
    await this.#until(answer);
  }

  async #until(answer: string): Promise<void> {
    while (!this.#text.includes(answer)) {
      if (this.#text.includes('<failure')) throw new Error(`the XMPP server refuses: ${this.#text}`);
      if (this.#error) throw this.#error;
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#wake?.();
  }
}
