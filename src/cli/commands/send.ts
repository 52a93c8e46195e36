import { openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Command, Option } from 'commander';
import { networkErrorReason } from '../../base/errors.ts';
import { trustSystemCertificates } from '../../base/system-resources.ts';
import { formatSize } from '../../base/units.ts';
import { type ApiAccess, type ApiAccessOptions, resolveApiAccess } from '../lib/api-access.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError, EXIT_CODE, usageError } from '../lib/command-error.ts';
import { formatExamples } from '../lib/help.ts';
import { printJson, printLine, sanitizeForTerminal } from '../lib/output.ts';
import { showProgress } from '../lib/progress.ts';

interface Options extends ApiAccessOptions {
  readonly message?: string;
  readonly file?: readonly string[];
  readonly type?: string;
  readonly subject?: string;
  readonly nick?: string;
  readonly wait?: string;
  readonly json?: boolean;
}

export function addSend(program: Command, context: CommandContext): void {
  program
    .command('send')
    .summary('send a message with files')
    .description(
      'Sends a message through a running Porter: the text of -m or of standard input, and a link to each file. ' +
        'Authenticates with --account and its password (PORTER_PASSWORD or a prompt), else with the token of ' +
        '--token-file, of PORTER_TOKEN, or the first token of the config.',
    )
    .argument('<to>', 'JID of a user, or of a room with --type groupchat')
    .option('-m, --message <text>', 'the text; - reads it from standard input')
    .option('-f, --file <file...>', 'files to send')
    .addOption(
      new Option('--type <type>', 'type of the message').choices(['chat', 'normal', 'headline', 'groupchat']),
    )
    .option('--subject <text>', 'subject of the message')
    .option('--nick <name>', 'nickname in the room')
    .option('--wait <time>', 'how long to wait for an error reply, such as 0 or 2s')
    .option('--url <url>', 'address of Porter (default: PORTER_URL, or the address in the config)')
    .option('--token-file <file>', 'file with the token')
    .option('--account <jid>', 'XMPP account to send with')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      formatExamples(
        "porter send juliet@example.org -m 'The backup is done.'",
        'df -h | porter send team@conference.example.org --type groupchat -f report.pdf chart.png',
      ),
    )
    .action(async (to: string, options: Options, command: Command) => {
      const body = await readBody(context, options);
      const form = await createForm(context, to, body, options);
      const access = await resolveApiAccess(context, command, options);
      await printResult(context, await post(context, access, form), options.json ?? false);
    });
}

/** Reads the text of the message. Returns undefined if only files are sent. */
async function readBody(context: CommandContext, { message, file }: Options): Promise<string | undefined> {
  const fromStdin = message === '-' || (message === undefined && file === undefined);
  const body = fromStdin ? (await readStdin(context)).replace(/\n+$/, '') : message;
  if (body === '' && file === undefined) {
    throw usageError('Nothing to send: the text is empty. Give a text with -m, or files with -f.');
  }
  return body;
}

async function readStdin({ stdin }: CommandContext): Promise<string> {
  if (stdin === undefined) throw usageError('Nothing to send. Give a text with -m, or files with -f.');
  return await text(stdin);
}

interface MessageForm {
  readonly data: FormData;
  /** Bytes of all files. */
  readonly size: number;
}

async function createForm(
  { cwd }: CommandContext,
  to: string,
  body: string | undefined,
  { file = [], type, subject, nick, wait }: Options,
): Promise<MessageForm> {
  const data = new FormData();
  for (const [name, value] of Object.entries({ to, body, type, subject, nick, wait })) {
    if (value !== undefined) data.append(name, value);
  }
  let size = 0;
  for (const name of file) {
    const path = resolve(cwd, name);
    if (!(await stat(path)).isFile()) throw usageError(`${name} is not a regular file.`);
    const blob = await openAsBlob(path);
    size += blob.size;
    data.append('file', blob, basename(path));
  }
  return { data, size };
}

/** Posts the form to Porter. Streams the files from the disk and shows the progress. */
async function post(
  context: CommandContext,
  { url, authorization }: ApiAccess,
  { data, size }: MessageForm,
): Promise<Response> {
  trustSystemCertificates();
  const request = new Request(url, {
    method: 'POST',
    body: data,
    headers: { Authorization: authorization, Accept: 'application/json' },
  });
  const options = { title: 'Sending', total: size, format: formatSize };
  const progress = size > 0 ? showProgress(context, options) : undefined;
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
    const { headers } = request;
    // Not a literal in the call: depending on the order of the files, tsc does not find `duplex` in the types of Node.js.
    const init = { method: 'POST', headers, body, duplex: 'half', redirect: 'manual' } as const;
    return await fetch(url, init);
  } catch (error) {
    throw new CommandError(
      `Porter cannot be reached at ${url.origin}: ${networkErrorReason(error)}. Is it running? Check --url.`,
      EXIT_CODE.failed,
      error,
    );
  } finally {
    progress?.end();
  }
}

/** The JSON answer of the message API, or a problem document (RFC 9457). */
interface ApiAnswer {
  readonly detail?: string;
  readonly messages?: readonly {
    readonly to: string;
    readonly state: string;
    readonly link?: string;
    readonly error?: { readonly text: string };
  }[];
}

async function printResult(context: CommandContext, response: Response, json: boolean): Promise<void> {
  const answer = parseAnswer(await response.text());
  if (json) await printJson(context, answer);
  else {
    for (const { to, state, link } of answer.messages ?? []) {
      const line = `${to}: ${state}${link === undefined ? '' : ` ${link}`}`;
      await printLine(context.stdout, sanitizeForTerminal(line));
    }
  }
  if (response.ok) return;
  const reason =
    answer.messages?.find(({ error }) => error)?.error?.text ??
    answer.detail ??
    `Porter answered with status ${response.status}.`;
  throw new CommandError(sanitizeForTerminal(reason));
}

/** Returns an empty answer if the body is not JSON, for example an error page of a proxy. */
function parseAnswer(body: string): ApiAnswer {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as ApiAnswer) : {};
  } catch {
    return {};
  }
}
