import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { PorterProcess } from '../support/porter-process.ts';
import { readLog } from './worker-log.ts';

/** A keep-alive connection: one worker answers all its requests. */
export interface WorkerConnection {
  /** Rejects if the connection was closed in between. */
  request(path: string, options?: WorkerRequest): Promise<WorkerResponse>;
}

export interface WorkerRequest {
  readonly headers?: Readonly<Record<string, string>>;
  /** Makes it a POST. */
  readonly body?: string;
}

export interface WorkerResponse {
  readonly status: number;
  readonly text: string;
}

const AT_ONCE = 12;

/**
 * Opens a connection to each worker; the map is by worker number. `probe` sends a request whose JSON answer contains the
 * `id` that the worker logs.
 */
export async function connectToWorkers(
  { url, program }: PorterProcess,
  count: number,
  probe: (connection: WorkerConnection) => Promise<WorkerResponse>,
): Promise<{ connections: Map<number, WorkerConnection>; close(): void }> {
  const agents: Agent[] = [];
  const connections = new Map<number, WorkerConnection>();
  const tryOne = async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agents.push(agent);
    const connection = openConnection(url, agent);
    const { id } = JSON.parse((await probe(connection)).text) as { id: string };
    const worker = () => readLog(program).find((entry) => entry.id === id)?.worker;
    await program.waitFor('the log of the probe', () => worker() !== undefined);
    connections.set(worker() ?? 0, connection);
  };
  for (let tries = 0; connections.size < count; tries += 1) {
    if (tries > 20) throw new Error(`only ${connections.size} of ${count} workers answered`);
    await Promise.all(Array.from({ length: AT_ONCE }, tryOne));
  }
  return { connections, close: () => agents.forEach((agent) => void agent.destroy()) };
}

function openConnection(url: string, agent: Agent): WorkerConnection {
  let port: number | undefined;
  return {
    request: (path, { headers = {}, body } = {}) =>
      new Promise((resolve, reject) => {
        const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
        const method = body === undefined ? 'GET' : 'POST';
        const sent = request(url + path, { method, agent, headers: { ...length, ...headers } });
        sent.on('error', reject);
        sent.on('response', (response: IncomingMessage) => {
          port ??= sent.socket?.localPort;
          if (port !== sent.socket?.localPort) reject(new Error('the connection was closed in between'));
          text(response).then((body) => resolve({ status: response.statusCode ?? 0, text: body }), reject);
        });
        sent.end(body);
      }),
  };
}
