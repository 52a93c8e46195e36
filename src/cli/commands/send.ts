import { openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Command, Option } from 'commander';
import { formatSize } from '../../base/units.ts';
import { type ApiAccess, resolveApiAccess } from '../lib/api-access.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError, usageError } from '../lib/command-error.ts';
import { formatExamples } from '../lib/help.ts';
import { printJson, printLine, sanitizeForTerminal, showProgress } from '../lib/output.ts';

export interface SendCommandOptions {
  readonly message?: string;
  readonly file?: readonly string[];
  readonly type?: string;
  readonly subject?: string;
  readonly nick?: string;
  readonly wait?: string;
  readonly url?: string;
  readonly tokenFile?: string;
  readonly account?: string;
  readonly json?: boolean;
}

export function addSend(program: Command, shell: CommandContext): void {
  program
    .command('send')
    .summary('send a message, with files')
    .description(
      'Sends a message through a running Porter: the text of -m, or what comes on standard input, and a link to each ' +
        'file. Who sends: --account with PORTER_PASSWORD or a password asked for, else the token of --token-file, ' +
        'PORTER_TOKEN or the first one of the config.',
    )
    .argument('<to>', 'JID of a user, or of a room with --type groupchat')
    .option('-m, --message <text>', 'the text; - reads it from standard input')
    .option('-f, --file <file...>', 'files to send along')
    .addOption(
      new Option('--type <type>', 'type of the message').choices(['chat', 'normal', 'headline', 'groupchat']),
    )
    .option('--subject <text>', 'its subject')
    .option('--nick <name>', 'the name to have in a room')
    .option('--wait <time>', 'how long to wait for a bounce, such as 0 or 2s')
    .option('--url <url>', 'where Porter is (default: PORTER_URL, or what the config says)')
    .option('--token-file <file>', 'a file with the token to send with')
    .option('--account <jid>', 'the account to send with')
    .option('--json', 'print what became of it as JSON')
    .addHelpText(
      'after',
      formatExamples(
        "porter send juliet@example.org -m 'The backup is done.'",
        'df -h | porter send team@conference.example.org --type groupchat -f report.pdf chart.png',
      ),
    )
    .action(async (to: string, options: SendCommandOptions, command: Command) => {
      const body = await textOf(shell, options);
      const form = await formOf(shell, to, body, options);
      const access = await resolveApiAccess(shell, command, options);
      await tell(shell, await post(shell, access, form), options.json ?? false);
    });
}

/** Undefined where there are only files. */
async function textOf(
  shell: CommandContext,
  { message, file }: SendCommandOptions,
): Promise<string | undefined> {
  const fromInput = message === '-' || (message === undefined && file === undefined);
  const body = fromInput ? (await readInput(shell)).replace(/\n+$/, '') : message;
  if (body === '' && file === undefined) throw usageError('There is nothing to send: the text is empty.');
  return body;
}

async function readInput({ stdin: input }: CommandContext): Promise<string> {
  if (input === undefined)
    throw usageError('There is nothing to send: give a text with -m, or files with -f.');
  return await text(input);
}

interface Form {
  readonly data: FormData;
  /** Bytes of all files. */
  readonly size: number;
}

async function formOf(
  { cwd }: CommandContext,
  to: string,
  body: string | undefined,
  { file = [], type, subject, nick, wait }: SendCommandOptions,
): Promise<Form> {
  const data = new FormData();
  for (const [name, value] of Object.entries({ to, body, type, subject, nick, wait })) {
    if (value !== undefined) data.append(name, value);
  }
  let size = 0;
  for (const name of file) {
    const path = resolve(cwd, name);
    if (!(await stat(path)).isFile()) throw usageError(`${name} is no file.`);
    const blob = await openAsBlob(path);
    size += blob.size;
    data.append('file', blob, basename(path));
  }
  return { data, size };
}

/** Posts a form as it is read from the disk. */
async function post(
  shell: CommandContext,
  { url, authorization }: ApiAccess,
  { data, size }: Form,
): Promise<Response> {
  const request = new Request(url, {
    method: 'POST',
    body: data,
    headers: { Authorization: authorization, Accept: 'application/json' },
  });
  const options = { title: 'Sending', total: size, show: formatSize };
  const progress = size > 0 ? showProgress(shell, options) : undefined;
  let sent = 0;
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      sent += chunk.length;
      progress?.update(Math.min(sent, size));
      controller.enqueue(chunk);
    },
  });
  try {
    const body = request.body?.pipeThrough(counter) ?? null;
    return await fetch(url, {
      method: 'POST',
      headers: request.headers,
      body,
      duplex: 'half',
      redirect: 'manual',
    });
  } catch (error) {
    throw new CommandError(`Porter cannot be reached at ${url.origin}: ${reasonOf(error)}.`, 1, error);
  } finally {
    progress?.end();
  }
}

function reasonOf(error: unknown): string {
  const { cause } = error as { readonly cause?: { readonly code?: string; readonly message?: string } };
  if (cause?.code === 'ECONNREFUSED') return 'nobody answers there';
  return cause?.message ?? (error instanceof Error ? error.message : String(error));
}

interface Told {
  readonly detail?: string;
  readonly messages?: readonly {
    readonly to: string;
    readonly state: string;
    readonly link?: string;
    readonly error?: { readonly text: string };
  }[];
}

async function tell(shell: CommandContext, response: Response, asJson: boolean): Promise<void> {
  const answer = await response.text();
  const told = parse(answer);
  if (asJson) await printJson(shell, told);
  else {
    for (const { to, state, link } of told.messages ?? []) {
      await printLine(
        shell.stdout,
        sanitizeForTerminal(`${to}: ${state}${link === undefined ? '' : ` ${link}`}`),
      );
    }
  }
  if (response.ok) return;
  const why =
    told.messages?.find(({ error }) => error)?.error?.text ??
    told.detail ??
    `Porter answered ${response.status}.`;
  throw new CommandError(sanitizeForTerminal(why));
}

/** A proxy in between may answer in its own words. */
function parse(answer: string): Told {
  try {
    const value: unknown = JSON.parse(answer);
    return typeof value === 'object' && value !== null ? (value as Told) : {};
  } catch {
    return {};
  }
}
