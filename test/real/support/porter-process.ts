import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { httpRequest } from '../../support/http.ts';
import { MAIN } from '../../support/paths.ts';
import type { CertificateFiles } from '../../support/self-signed-certificate.ts';
import { freePort } from './ports.ts';
import { Program, type ProgramExit, type ProgramOptions, runProgram } from './program.ts';

type Settings = Readonly<Record<string, unknown>>;

export interface PorterOptions extends ProgramOptions {
  /** `porter.yml` as an object, to which `listen` is added; a string is written unchanged. */
  readonly config?: Settings | string;
  /** The working directory, whose files are kept. Default: a new temporary folder. */
  readonly folder?: string;
  readonly port?: number;
  /** The program. Default: run from source. */
  readonly main?: string;
  /** Enables TLS. */
  readonly certificate?: CertificateFiles;
}

/** The whole program in a child process. */
export interface PorterProcess {
  readonly url: string;
  readonly port: number;
  /** The working directory with config, ledger and blobs. */
  readonly folder: string;
  readonly program: Program;
  /** Writes a new `porter.yml`, which the server reads on SIGHUP. */
  writeConfig(config: Settings | string): Promise<void>;
  /** Runs a command next to the server, with the same config. */
  runCommand(...args: readonly string[]): ReturnType<typeof runProgram>;
  stop(signal?: NodeJS.Signals): Promise<ProgramExit>;
  remove(): Promise<void>;
}

/** Starts `porter serve` with a new config file; resolves once `/healthz` answers. */
export async function startPorter(options: PorterOptions = {}): Promise<PorterProcess> {
  const folder = options.folder ?? (await createTemporaryFolder());
  const port = options.port ?? (await freePort());
  const tls = options.certificate && { tls: options.certificate };
  // JSON is YAML.
  const asText = (config: Settings) =>
    JSON.stringify({ listen: `127.0.0.1:${port}`, ...tls, ...config }, null, 2);
  const writeConfig = (config: Settings | string) =>
    writeFile(join(folder, 'porter.yml'), typeof config === 'string' ? config : asText(config));
  await writeConfig(options.config ?? {});
  const program = new Program(process.execPath, [options.main ?? MAIN, 'serve', '-c', 'porter.yml'], {
    cwd: folder,
    ...(options.env ? { env: options.env } : {}),
  });
  const ca = options.certificate && (await readFile(options.certificate.cert, 'utf8'));
  const url = `${ca ? 'https' : 'http'}://127.0.0.1:${port}`;
  try {
    await program.waitFor('an answer', () => answers(url, ca));
  } catch (error) {
    await program.stop();
    throw error;
  }
  const stop = (signal?: NodeJS.Signals) => program.stop(signal);
  return {
    url,
    port,
    folder,
    program,
    writeConfig,
    runCommand: (...args) => runPorter([...args, '-c', 'porter.yml'], { cwd: folder }),
    stop,
    async remove() {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Runs one command of the program until it ends. */
export function runPorter(args: readonly string[], options?: ProgramOptions): ReturnType<typeof runProgram> {
  return runProgram(process.execPath, [MAIN, ...args], options);
}

export function createTemporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'porter-test-'));
}

async function answers(url: string, ca: string | undefined): Promise<boolean> {
  return httpRequest(`${url}/healthz`, ca === undefined ? {} : { ca }).then(
    ({ status }) => status === 200,
    () => false,
  );
}
