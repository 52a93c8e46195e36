import { existsSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
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
  readonly domain?: string;
  readonly force?: boolean;
}

export function addInit(program: Command, shell: CommandContext): void {
  program
    .command('init')
    .summary('write a config, and show what the XMPP server needs to know')
    .description(
      'Writes a commented porter.yml with fresh secrets (mode 600) and prints the matching lines for the config of ' +
        'the XMPP server.',
    )
    .addOption(
      new Option('--for <server>', 'the XMPP server; component = any other that speaks XEP-0114')
        .choices(xmppServerKinds)
        .default('component'),
    )
    .option(
      '--domain <domain>',
      'the domain of your users, as in user@DOMAIN (default: localhost, for a trial)',
    )
    .option('--force', 'replace an existing file; the old one is kept with .bak behind its name')
    .addHelpText('after', formatExamples('porter init --for prosody --domain example.org'))
    .action(async (options: InitOptions, command: Command) => {
      const plan = createInitPlan(options.for, readDomain(options.domain ?? 'localhost'));
      const file = configFileToWrite(shell, command);
      const replaced = await writeConfig(
        resolve(shell.cwd, file),
        file,
        formatPorterConfig(plan),
        options.force === true,
      );
      await tell(shell, plan, file, replaced);
    });
}

function readDomain(text: string): string {
  const jid = parseJid(text);
  // Only what needs no quoting in YAML, Lua, a pattern or a URL.
  const fits =
    jid &&
    jid.local === '' &&
    jid.resource === '' &&
    /^[\p{L}\p{N}](?:[\p{L}\p{N}.-]*[\p{L}\p{N}])?$/u.test(jid.domain);
  if (!fits) throw usageError(`--domain takes a domain such as example.org, not ${JSON.stringify(text)}`);
  return jid.domain;
}

/** True where an older file was put aside. */
async function writeConfig(path: string, name: string, text: string, force: boolean): Promise<boolean> {
  const replaces = existsSync(path);
  if (replaces && !force) throw usageError(`${name} is there already; --force replaces it`);
  if (replaces) await rename(path, `${path}.bak`);
  await writeFile(path, text, { mode: 0o600, flag: 'wx' });
  return replaces;
}

async function tell(shell: CommandContext, plan: InitPlan, file: string, replaced: boolean): Promise<void> {
  const put = replaced ? ` The old one is ${file}.bak.` : '';
  await printLine(shell.stdout, `Wrote ${file}, with a fresh secret. Only you can read it.${put}\n`);
  await printLine(shell.stdout, formatServerInstructions(plan));
}
