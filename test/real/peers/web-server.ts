import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { arePortsOpen } from '../support/ports.ts';
import { Program, runProgram } from '../support/program.ts';

/** A real web server whose config includes a snippet of contrib/. */
export interface WebServer {
  /** The port with TLS. */
  readonly port: number;
  /** Stops the server and removes its folder. */
  stop(): Promise<void>;
}

export interface WebServerOptions {
  readonly command: string;
  /** The arguments to run in the foreground. */
  readonly args: readonly string[];
  /** The arguments to check the config. */
  readonly check: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly folder: string;
  readonly port: number;
}

/** Checks the config with the server's own command, then starts the server. */
export async function startWebServer({
  command,
  args,
  check,
  env,
  folder,
  port,
}: WebServerOptions): Promise<WebServer> {
  const options = { cwd: folder, ...(env && { env }) };
  const checked = await runProgram(command, check, options);
  if (checked.code !== 0)
    throw new Error(`${command} refuses the config:\n${checked.stdout}${checked.stderr}`);
  const program = new Program(command, args, options);
  const stop = async () => {
    await program.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await program.waitFor(`port ${port}`, () => arePortsOpen([port]));
    return { port, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Creates a folder that the server's user id can read. */
export async function createServerFolder(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `porter-${name}-`));
  await chmod(folder, 0o755);
  return folder;
}

/** Replaces each key of `changes` by its value; throws if the snippet does not contain a key. */
export function replaceInSnippet(
  snippet: string,
  changes: Readonly<Record<string, string | number>>,
): string {
  return Object.entries(changes).reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the snippet has no "${from}"`);
    return text.replaceAll(from, String(to));
  }, snippet);
}
