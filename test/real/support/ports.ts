import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { Program, type ProgramOptions } from './program.ts';

/** Finds free ports of 127.0.0.1, for programs that cannot choose one themselves. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => server.close() && once(server, 'close')));
  return ports;
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
