import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { arePortsOpen } from '../support/ports.ts';
import { Program, runProgram } from '../support/program.ts';

/** A real web server with a snippet of ours in its config. */
export interface WebServer {
  /** Where it takes TLS. */
  readonly port: number;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

export interface WebServerOptions {
  readonly command: string;
  /** Arguments with which it stays in the foreground. */
  readonly args: readonly string[];
  /** Arguments with which it tries its config and ends. */
  readonly check: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly folder: string;
  readonly port: number;
}

/** Lets the server try its config, as its admin would, and starts it. */
export async function startWebServer({
  command,
  args,
  check,
  env,
  folder,
  port,
}: WebServerOptions): Promise<WebServer> {
  const options = { cwd: folder, ...(env && { env }) };
  const tried = await runProgram(command, check, options);
  if (tried.code !== 0) throw new Error(`${command} refuses the config:\n${tried.stdout}${tried.stderr}`);
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

/** A folder that the server's own account may read. */
export async function createServerFolder(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `porter-${name}-`));
  await chmod(folder, 0o755);
  return folder;
}

/** Replaces every `from` of a snippet by its `to`; one that is not there is a mistake of the test. */
export function replaceInSnippet(
  snippet: string,
  changes: Readonly<Record<string, string | number>>,
): string {
  return Object.entries(changes).reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the snippet has no "${from}"`);
    return text.replaceAll(from, String(to));
  }, snippet);
}
