import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../../config/load.ts';
import type { SendCommandOptions } from '../commands/send.ts';
import type { CommandContext } from './command-context.ts';
import { usageError } from './command-error.ts';
import { loadCommandConfig } from './config-file.ts';
import { promptPassword } from './password-prompt.ts';

/** Where messages are posted, and by whom. */
export interface ApiAccess {
  readonly url: URL;
  readonly authorization: string;
}

/** Out of options, environment and config; the config is read only for what the others leave open. */
export async function resolveApiAccess(
  shell: CommandContext,
  command: Command,
  options: SendCommandOptions,
): Promise<ApiAccess> {
  const own = await ownAuthorization(shell, options);
  const base = options.url ?? shell.env.PORTER_URL;
  const config =
    own === undefined || base === undefined ? await loadCommandConfig(shell, command) : undefined;
  return {
    url: readUrl(base ?? baseOf(config), config?.messages?.path ?? '/msg/'),
    authorization: own ?? tokenOf(config),
  };
}

async function ownAuthorization(
  shell: CommandContext,
  { account, tokenFile }: SendCommandOptions,
): Promise<string | undefined> {
  if (account !== undefined) {
    const password = shell.env.PORTER_PASSWORD ?? (await promptPassword(shell, `Password of ${account}: `));
    return `Basic ${Buffer.from(`${account}:${password}`).toString('base64')}`;
  }
  const token =
    tokenFile === undefined
      ? shell.env.PORTER_TOKEN
      : (await readFile(resolve(shell.cwd, tokenFile), 'utf8')).trim();
  return token === undefined || token === '' ? undefined : `Bearer ${token}`;
}

/** The first that is not a hash. */
function tokenOf(config: Config | undefined): string {
  const token = config?.messages?.tokens.find((rule) => !/^sha256:/i.test(rule.token))?.token;
  if (token !== undefined) return `Bearer ${token}`;
  throw usageError('There is no token to send with: give --account, --token-file or PORTER_TOKEN.');
}

/** This machine where Porter listens in the clear, else as everybody reaches it. */
function baseOf(config: Config | undefined): string {
  const address = config?.listen.find((place) => 'port' in place && place.port !== 0);
  if (address && 'port' in address && !config?.tls) {
    const host = hostOf(address.host);
    return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
  }
  if (config?.public_url) return config.public_url;
  throw usageError('Where is Porter? Give --url or PORTER_URL.');
}

function hostOf(host: string | undefined): string {
  if (host === undefined || host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

function readUrl(base: string, path: string): URL {
  const url = URL.canParse(base) ? new URL(base) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) throw usageError(`${base} is no URL of http or https.`);
  return new URL(`${url.href.replace(/\/+$/, '')}${path}`);
}
