import { existsSync, globSync } from 'node:fs';
import { mkdtemp, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from '../support/ports.ts';
import { Program, runProgram } from '../support/program.ts';

const PASSWORD = 'what light';

/** A PostgreSQL server in a temporary folder, with the role `porter` and the database `postgres`. */
export interface PostgresServer {
  readonly port: number;
  /** Creates an empty schema and returns its URL; faster than a new database, and as separate. */
  createSchema(): Promise<string>;
  /** Runs SQL directly, without a ledger. */
  query(url: string, sql: string): Promise<pg.QueryResult>;
  stop(): Promise<void>;
  /** Kills the server with SIGKILL. */
  kill(): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

/** Starts a server with password authentication and without fsync, since tests do not simulate power loss. */
export async function startPostgres(): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), 'porter-postgres-'));
  const data = join(folder, 'data');
  const port = await freePort();
  await makeCluster(folder, data);
  const url = `postgres://porter:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/postgres`;
  let server: Program | undefined;
  let schemas = 0;

  const start = async () => {
    const args = ['-D', data, '-p', String(port), '-k', folder, '-h', '127.0.0.1', '-c', 'fsync=off'];
    const started = serverProgram('postgres', [
      ...args,
      '-c',
      'max_connections=200',
      '-c',
      'shared_buffers=16MB',
    ]);
    server = started;
    await started.waitFor('an answer', () => answers(url));
  };
  // SIGINT is PostgreSQL's fast shutdown, which terminates connections.
  const stop = async () => void (await server?.stop('SIGINT'));
  // The server cannot start again until its child processes have ended.
  const kill = async () => {
    await server?.stop('SIGKILL');
    while (await isHeld(data)) await sleep(20);
  };
  const remove = async () => {
    await stop();
    await rm(folder, { recursive: true });
  };
  try {
    await start();
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    port,
    start,
    stop,
    kill,
    remove,
    query: run,
    async createSchema() {
      schemas += 1;
      const schema = `test_${schemas}`;
      await run(url, `create schema ${schema}`);
      return `${url}?options=-c%20search_path%3D${schema}`;
    },
  };
}

/** Whether processes of a server use this folder. */
async function isHeld(data: string): Promise<boolean> {
  const links = globSync('/proc/[0-9]*/cwd');
  const folders = await Promise.all(links.map((link) => readlink(link).catch(() => '')));
  return folders.includes(data);
}

/** PostgreSQL refuses to run as root. */
const asRoot = process.getuid?.() === 0;

function command(name: string, args: readonly string[]): [string, string[]] {
  const found = globSync(`/usr/lib/postgresql/*/bin/${name}`).sort().at(-1) ?? name;
  if (!asRoot) return [found, [...args]];
  return ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', found, ...args]];
}

const serverProgram = (name: string, args: readonly string[]) => new Program(...command(name, args));

async function makeCluster(folder: string, data: string): Promise<void> {
  const pwfile = join(folder, 'password');
  await writeFile(pwfile, PASSWORD);
  if (asRoot) await runOrThrow('chown', ['-R', 'postgres:', folder]);
  const login = ['-U', 'porter', '-A', 'scram-sha-256', `--pwfile=${pwfile}`];
  // Tests must not depend on the collation: pages of the ledger follow the order of the server.
  await runOrThrow(...command('initdb', ['-D', data, '-N', '-E', 'UTF8', '--locale=C.UTF-8', ...login]));
  if (!existsSync(join(data, 'PG_VERSION'))) throw new Error('initdb made no cluster');
}

async function runOrThrow(name: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await runProgram(name, args);
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${stderr}`);
}

async function run(url: string, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

function answers(url: string): Promise<boolean> {
  return run(url, 'select 1').then(
    () => true,
    () => false,
  );
}
