import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { PorterProcess } from '../support/porter-process.ts';
import { readLog } from './worker-log.ts';

/** A connection that stays: all that is asked on it is answered by the same worker. */
export interface WorkerConnection {
  /** Rejects where it cannot be on the same connection any more. */
  request(path: string, question?: WorkerRequest): Promise<WorkerResponse>;
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
 * A line to each of the workers, by their numbers. `probe` asks something whose answer names, in JSON, the `id` that
 * the log has for it.
 */
export async function connectToWorkers(
  { url, program }: PorterProcess,
  count: number,
  probe: (line: WorkerConnection) => Promise<WorkerResponse>,
): Promise<{ lines: Map<number, WorkerConnection>; close(): void }> {
  const agents: Agent[] = [];
  const lines = new Map<number, WorkerConnection>();
  const tryOne = async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agents.push(agent);
    const line = openLine(url, agent);
    const { id } = JSON.parse((await probe(line)).text) as { id: string };
    const worker = () => readLog(program).find((entry) => entry.id === id)?.worker;
    await program.waitFor('the log of the probe', () => worker() !== undefined);
    lines.set(worker() ?? 0, line);
  };
  for (let tries = 0; lines.size < count; tries += 1) {
    if (tries > 20) throw new Error(`only ${lines.size} of ${count} workers answered`);
    await Promise.all(Array.from({ length: AT_ONCE }, tryOne));
  }
  return { lines, close: () => agents.forEach((agent) => void agent.destroy()) };
}

function openLine(url: string, agent: Agent): WorkerConnection {
  let port: number | undefined;
  return {
    request: (path, { headers = {}, body } = {}) =>
      new Promise((resolve, reject) => {
        const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
        const method = body === undefined ? 'GET' : 'POST';
        const asked = request(url + path, { method, agent, headers: { ...length, ...headers } });
        asked.on('error', reject);
        asked.on('response', (response: IncomingMessage) => {
          port ??= asked.socket?.localPort;
          if (port !== asked.socket?.localPort) reject(new Error('the connection was closed in between'));
          text(response).then((said) => resolve({ status: response.statusCode ?? 0, text: said }), reject);
        });
        asked.end(body);
      }),
  };
}
