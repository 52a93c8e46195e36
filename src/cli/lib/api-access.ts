import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { createHostedLinks } from '../../config/hosted-domains.ts';
import type { Config } from '../../config/load.ts';
import type { CommandContext } from './command-context.ts';
import { CommandError, EXIT_CODE, usageError } from './command-error.ts';
import { loadCommandConfig } from './config-file.ts';

export interface ApiAccessOptions {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly account?: string;
}

/** The message API of a running Porter, and the credentials for it. */
export interface ApiAccess {
  readonly url: URL;
  /** Value of the Authorization header. */
  readonly authorization: string;
}

/** Returns address and credentials from options, environment and config, in this order. Loads the config only if it is needed. */
export async function resolveApiAccess(
  context: CommandContext,
  command: Command,
  options: ApiAccessOptions,
): Promise<ApiAccess> {
  const authorization = await givenAuthorization(context, options);
  const baseUrl = options.url ?? context.env.PORTER_URL;
  const needsConfig = authorization === undefined || baseUrl === undefined;
  const config = needsConfig ? await loadCommandConfig(context, command) : undefined;
  return {
    url: joinUrl(baseUrl ?? configuredUrl(config), config?.messages?.path ?? '/msg/'),
    authorization: authorization ?? configuredAuthorization(config),
  };
}

async function givenAuthorization(
  context: CommandContext,
  { account, tokenFile }: ApiAccessOptions,
): Promise<string | undefined> {
  if (account !== undefined) {
    const password = await readPassword(context, account, undefined);
    return `Basic ${Buffer.from(`${account}:${password}`).toString('base64')}`;
  }
  const token =
    tokenFile === undefined
      ? context.env.PORTER_TOKEN
      : (await readFile(resolve(context.cwd, tokenFile), 'utf8')).trim();
  return token === undefined || token === '' ? undefined : `Bearer ${token}`;
}

/** Reads the password of an account from a file, from standard input (`-`), from `PORTER_PASSWORD` or from the terminal. */
export async function readPassword(
  context: CommandContext,
  account: string,
  file: string | undefined,
): Promise<string> {
  if (file === undefined) {
    return context.env.PORTER_PASSWORD ?? (await promptPassword(context, `Password of ${account}: `));
  }
  const { stdin, cwd } = context;
  const content =
    file === '-' ? await text(stdin ?? Readable.from([])) : await readFile(resolve(cwd, file), 'utf8');
  const password = content.replace(/\r?\n$/, '');
  if (password === '') throw usageError(`${file === '-' ? 'Standard input' : file} has no password.`);
  return password;
}

/** Asks for a password on the terminal without showing it. Throws a usage error if stdin is not a terminal. */
export async function promptPassword({ stdin, stderr }: CommandContext, question: string): Promise<string> {
  if (!stdin?.isTTY) {
    throw usageError('Cannot ask for the password: stdin is not a terminal. Set PORTER_PASSWORD.');
  }
  const discarded = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: discarded, terminal: true });
  stderr.write(question);
  try {
    return await lines.question('');
  } catch (error) {
    // The user has pressed Ctrl+C or Ctrl+D.
    throw new CommandError('No password was given.', EXIT_CODE.failed, error);
  } finally {
    lines.close();
    stderr.write('\n');
  }
}

/** Returns the first token that the config contains in plain text, because a hash cannot be sent. */
function configuredAuthorization(config: Config | undefined): string {
  const token = config?.messages?.tokens.find((rule) => !/^sha256:/i.test(rule.token))?.token;
  if (token !== undefined) return `Bearer ${token}`;
  throw usageError('No token to send with. Give --account, --token-file or PORTER_TOKEN.');
}

/** Returns the address of `listen` if it is a port without TLS, else `public_url`. */
function configuredUrl(config: Config | undefined): string {
  const address = config?.listen.find((candidate) => 'port' in candidate && candidate.port !== 0);
  if (address && 'port' in address && !config?.tls) {
    const host = toLocalHost(address.host);
    return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
  }
  const [links] = config ? createHostedLinks(config).all : [];
  if (links?.putBase) return links.putBase;
  throw usageError('The address of Porter is unknown. Give --url or PORTER_URL.');
}

function toLocalHost(host: string | undefined): string {
  if (host === undefined || host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

function joinUrl(baseUrl: string, path: string): URL {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw usageError(`${baseUrl} is not an http or https URL. Give one such as https://upload.example.org.`);
  }
  return new URL(`${url.href.replace(/\/+$/, '')}${path}`);
}
