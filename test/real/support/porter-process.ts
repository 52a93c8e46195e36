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
  /** `porter.yml` as an object, to which `listen` is added; a text is written as it is. */
  readonly config?: Settings | string;
  /** Where it lives; a new temporary folder otherwise. Keeps its files when given. */
  readonly folder?: string;
  readonly port?: number;
  /** Makes it do TLS. */
  readonly certificate?: CertificateFiles;
}

/** The whole program in a process of its own. */
export interface PorterProcess {
  readonly url: string;
  readonly port: number;
  /** Its config, ledger and blobs. */
  readonly folder: string;
  readonly program: Program;
  /** Writes other settings; `SIGHUP` makes it read them. */
  writeConfig(config: Settings | string): Promise<void>;
  /** A command beside it, with the same config. */
  runCommand(...args: readonly string[]): ReturnType<typeof runProgram>;
  stop(signal?: NodeJS.Signals): Promise<ProgramExit>;
  remove(): Promise<void>;
}

/** `porter serve` with a config file of its own; resolves when it answers. */
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
  const program = new Program(process.execPath, [MAIN, 'serve', '-c', 'porter.yml'], {
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

/** One command line of the program, run to its end. */
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
