import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface ReceiverResponse {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

/** An HTTP server that records its requests and answers POST as the test says. It answers OPTIONS with 200 and no body. */
export class CallbackReceiver {
  readonly received: ReceivedRequest[] = [];
  /** Answers a POST; the sender waits until a returned promise resolves. */
  respond: (request: ReceivedRequest) => ReceiverResponse | Promise<ReceiverResponse> = () => ({
    status: 202,
  });
  /** The `Accept` header of the answer to OPTIONS. */
  acceptHeader = '';
  #server: Server | undefined;
  #port = 0;

  static async listen(port = 0): Promise<CallbackReceiver> {
    const receiver = new CallbackReceiver();
    receiver.#port = port;
    await receiver.start();
    return receiver;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  get posts(): ReceivedRequest[] {
    return this.received.filter(({ method }) => method === 'POST');
  }

  /** Listens again, on the same port. */
  async start(): Promise<void> {
    const server = createServer(async (request, response) => {
      const { method = '', url: path = '', headers } = request;
      const received = { method, path, headers, body: await text(request) };
      this.received.push(received);
      if (method === 'OPTIONS') {
        response.writeHead(200, this.acceptHeader === '' ? {} : { Accept: this.acceptHeader }).end();
        return;
      }
      const { status, headers: responseHeaders = {}, body = '' } = await this.respond(received);
      response.writeHead(status, responseHeaders).end(body);
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }
}
