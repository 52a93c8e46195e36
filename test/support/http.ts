import { type IncomingHttpHeaders, type RequestOptions, request } from 'node:http';
import { connect } from 'node:net';

export interface TestResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The body as it came. */
  readonly bytes: Buffer;
}

export interface TestRequest extends Omit<RequestOptions, 'host' | 'port'> {
  readonly body?: string | Buffer;
}

/** One request over a connection of its own. `at` is `{ port, host }` or `{ socketPath }`. */
export function sendRequest(
  at: RequestOptions,
  path: string,
  options: TestRequest = {},
): Promise<TestResponse> {
  return new Promise((resolve, reject) => {
    const { body, ...rest } = options;
    const asked = request({ agent: false, ...at, path, ...rest }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const bytes = Buffer.concat(chunks);
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: bytes.toString(), bytes });
      });
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

/** Sends bytes as they are and gives all that comes back until the other side hangs up. */
export function sendRawBytes(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', reject);
    socket.on('end', () => resolve(text));
  });
}
