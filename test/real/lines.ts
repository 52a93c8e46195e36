import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { logOf } from './crew.ts';
import type { RunningPorter } from './porter.ts';

/** A connection that stays: all that is asked on it is answered by the same worker. */
export interface Line {
  /** Rejects where it cannot be on the same connection any more. */
  ask(path: string, question?: LineQuestion): Promise<LineAnswer>;
}

export interface LineQuestion {
  readonly headers?: Readonly<Record<string, string>>;
  /** Makes it a POST. */
  readonly body?: string;
}

export interface LineAnswer {
  readonly status: number;
  readonly text: string;
}

const AT_ONCE = 12;

/**
 * A line to each of the workers, by their numbers. `probe` asks something whose answer names, in JSON, the `id` that
 * the log has for it.
 */
export async function linesToWorkers(
  { url, program }: RunningPorter,
  count: number,
  probe: (line: Line) => Promise<LineAnswer>,
): Promise<{ lines: Map<number, Line>; close(): void }> {
  const agents: Agent[] = [];
  const lines = new Map<number, Line>();
  const tryOne = async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agents.push(agent);
    const line = openLine(url, agent);
    const { id } = JSON.parse((await probe(line)).text) as { id: string };
    const worker = () => logOf(program).find((entry) => entry.id === id)?.worker;
    await program.until('the log of the probe', () => worker() !== undefined);
    lines.set(worker() ?? 0, line);
  };
  for (let tries = 0; lines.size < count; tries += 1) {
    if (tries > 20) throw new Error(`only ${lines.size} of ${count} workers answered`);
    await Promise.all(Array.from({ length: AT_ONCE }, tryOne));
  }
  return { lines, close: () => agents.forEach((agent) => void agent.destroy()) };
}

function openLine(url: string, agent: Agent): Line {
  let port: number | undefined;
  return {
    ask: (path, { headers = {}, body } = {}) =>
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
