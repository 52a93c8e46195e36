import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program, type ProgramOptions } from './program.ts';

/** Below the ports that Linux gives to outgoing connections and to `listen(0)` (ip_local_port_range: 32768 and up). */
const FIRST_PORT = 12_000;
const LAST_PORT = 32_000;
const CLAIMS = join(tmpdir(), 'porter-test-ports');

/**
 * Finds free ports of 127.0.0.1, for programs that cannot choose one themselves. They stay reserved for this process: a
 * server that is down for a moment finds its port free when it starts again, and no other test's server answers on it.
 */
export async function freePorts(count: number): Promise<number[]> {
  mkdirSync(CLAIMS, { recursive: true });
  const ports: number[] = [];
  while (ports.length < count) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    if (claimPort(port) && (await canListen(port))) ports.push(port);
  }
  return ports;
}

/** Returns false if a living process has reserved the port. */
function claimPort(port: number): boolean {
  const file = join(CLAIMS, String(port));
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    if (!isAlive(Number(readFileSync(file, 'utf8')))) rmSync(file, { force: true });
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function canListen(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    await once(server.close(), 'close');
    return true;
  } catch {
    return false;
  }
}

export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

/** Whether all these ports of 127.0.0.1 accept connections. */
export async function arePortsOpen(ports: readonly number[]): Promise<boolean> {
  return (await Promise.all(ports.map(acceptsConnections))).every((takes) => takes);
}

async function acceptsConnections(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Starts a server and waits until all its ports accept connections; kills it if they do not. */
export async function startServerProgram(
  ports: readonly number[],
  command: string,
  args: readonly string[],
  options?: ProgramOptions,
): Promise<Program> {
  const program = new Program(command, args, options);
  try {
    await program.waitFor('its ports', () => arePortsOpen(ports));
    return program;
  } catch (error) {
    await program.stop('SIGKILL');
    throw error;
  }
}
