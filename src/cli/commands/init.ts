import { existsSync } from 'node:fs';
import { chmod, chown, rename, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { parseJid } from '../../base/jid.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { usageError } from '../lib/command-error.ts';
import { configFileToWrite } from '../lib/config-file.ts';
import { formatExamples } from '../lib/help.ts';
import { createInitPlan, type InitPlan, type XmppServerKind, xmppServerKinds } from '../lib/init-plan.ts';
import { formatPorterConfig } from '../lib/init-porter-config.ts';
import { formatServerInstructions } from '../lib/init-server-config.ts';
import { printLine } from '../lib/output.ts';

interface InitOptions {
  readonly for: XmppServerKind;
  readonly domain?: readonly [string, ...string[]];
  readonly component?: string;
  readonly force?: boolean;
}

/** The data folder for a config below /etc. The packages create it. */
const SYSTEM_DATA_FOLDER = '/var/lib/porter';

export function addInit(program: Command, context: CommandContext): void {
  program
    .command('init')
    .summary('write a config file, and print the lines for the XMPP server')
    .description(
      'Writes a commented porter.yml with a new secret (mode 600), and prints the matching lines for the config of the ' +
        'XMPP server.',
    )
    .addOption(
      new Option('--for <server>', 'your XMPP server; component = any other server with XEP-0114')
        .choices(xmppServerKinds)
        .default('component'),
    )
    .option(
      '--domain <domain>',
      'the domain of your users, as in user@DOMAIN (default: localhost, for a trial on this machine; repeatable)',
      addDomain,
    )
    .option('--component <jid>', 'the name of the upload service (default: upload.DOMAIN)')
    .option('--force', 'replace an existing file; the old one is kept as FILE.bak')
    .addHelpText(
      'after',
      formatExamples(
        'porter init --for prosody --domain example.org',
        'porter init --for ejabberd --domain example.org --domain example.net',
      ),
    )
    .action(async (options: InitOptions, command: Command) => {
      const file = configFileToWrite(context, command);
      const path = resolve(context.cwd, file);
      const domains = options.domain ?? ['localhost'];
      const plan = createInitPlan(options.for, domains, {
        componentJid: parseComponent(options.component, domains),
        dataFolder: path.startsWith('/etc/') ? SYSTEM_DATA_FOLDER : './data',
      });
      const replaced = await writeConfig(path, file, formatPorterConfig(plan), options.force === true);
      await printResult(context, plan, file, replaced);
    });
}

function parseComponent(
  text: string | undefined,
  [domain, ...others]: readonly string[],
): string | undefined {
  if (text === undefined) return undefined;
  if (others.length > 0)
    throw usageError(
      '--component can be used with a single --domain only. With several, change the names of the components in the file.',
    );
  const jid = parseDomain('--component', text);
  if (jid === domain) {
    throw usageError(
      `--component must differ from the domain of the users, for example upload.${domain}. Otherwise their contacts and messages break.`,
    );
  }
  return jid;
}

function addDomain(text: string, domains: readonly string[] | undefined): readonly [string, ...string[]] {
  const [first, ...others] = domains ?? [];
  const added = parseDomain('--domain', text);
  if (first === undefined) return [added];
  return first === added || others.includes(added) ? [first, ...others] : [first, ...others, added];
}

function parseDomain(option: string, text: string): string {
  const jid = parseJid(text);
  // Only characters that need no quoting in YAML, Lua, a regular expression or a URL.
  const isSafe =
    jid &&
    jid.local === '' &&
    jid.resource === '' &&
    /^[\p{L}\p{N}](?:[\p{L}\p{N}.-]*[\p{L}\p{N}])?$/u.test(jid.domain);
  if (!isSafe) throw usageError(`${option} takes a domain such as example.org, not ${JSON.stringify(text)}.`);
  return jid.domain;
}

/**
 * Writes the file. Returns true if an existing file was renamed to `.bak`. The new file then has its owner and mode, so that a service
 * that could read the old file can read the new one.
 */
async function writeConfig(path: string, name: string, text: string, force: boolean): Promise<boolean> {
  const exists = existsSync(path);
  if (exists && !force) throw usageError(`${name} exists already. Use --force to replace it.`);
  if (exists) await rename(path, `${path}.bak`);
  await writeFile(path, text, { mode: 0o600, flag: 'wx' });
  if (exists) {
    const { uid, gid, mode } = await stat(`${path}.bak`);
    if (process.getuid?.() === 0) await chown(path, uid, gid);
    await chmod(path, mode & 0o7777);
  }
  return exists;
}

async function printResult(
  context: CommandContext,
  plan: InitPlan,
  file: string,
  replaced: boolean,
): Promise<void> {
  const backup = replaced ? ` The old file is now ${file}.bak.` : '';
  await printLine(
    context.stdout,
    `Wrote ${file} with a new secret. ${replaced ? 'It has the owner and mode of the old file.' : 'Only your user can read it.'}${backup}\n`,
  );
  await printLine(context.stdout, formatServerInstructions(plan));
}
