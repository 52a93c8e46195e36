import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import { Command } from 'commander';
import { Refusal } from '../../../src/base/errors.ts';
import { version } from '../../../src/base/package-files.ts';
import { allCommands } from '../../../src/cli/all-commands.ts';
import {
  CommandError,
  formatErrorMessage,
  reportCommandError,
  usageError,
} from '../../../src/cli/lib/command-error.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { ConfigError } from '../../../src/config/config-error.ts';
import { createCapturedContext, runCommand } from './run-command.ts';

const missingFolder = '/nonexistent';

describe('the command line', () => {
  test('prints help for --help, and usage without arguments', async () => {
    const asked = await runCommand(missingFolder, ['--help']);
    assert.equal(asked.code, 0);
    assert.match(asked.out, /HTTP file sharing and messaging beside any XMPP server/);
    assert.match(asked.out, /init .*write a config file/);
    assert.match(asked.out, /Exit codes: 0 done, 1 failed, 2 wrong usage or config/);
    const nothing = await runCommand(missingFolder, []);
    assert.equal(nothing.code, 2);
    assert.match(nothing.err, /Usage: porter/);
  });

  test('prints its version', async () => {
    assert.deepEqual(await runCommand(missingFolder, ['--version']), {
      code: 0,
      out: `${version}\n`,
      err: '',
    });
  });

  test('exits with 2 for an unknown command, option or argument, and suggests the right one', async () => {
    const wrong = await runCommand(missingFolder, ['chekc']);
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /unknown command 'chekc'\n\(Did you mean check\?\)/);
    const option = await runCommand(missingFolder, ['check', '--jsno']);
    assert.equal(option.code, 2);
    assert.match(option.err, /Did you mean --json\?/);
    assert.match(option.err, /porter check --help explains its options/);
    assert.equal((await runCommand(missingFolder, ['check', 'superfluous'])).code, 2);
    assert.equal((await runCommand(missingFolder, ['init', '--for', 'icq'])).code, 2);
  });

  test('does not print the help of the program for a mistyped command, but names the right one', async () => {
    for (const args of [
      ['help', 'chekc'],
      ['chekc', '--help'],
      ['chekc', '-h'],
    ]) {
      const { code, out, err } = await runCommand(missingFolder, args);
      assert.equal(code, 2, args.join(' '));
      assert.match(err, /unknown command 'chekc'\n\(Did you mean check\?\)/);
      assert.equal(out, '');
    }
    assert.match((await runCommand(missingFolder, ['help', 'check'])).out, /^Usage: porter check/);
  });

  test('has help with an example for every command', async () => {
    const commands = createProgram(createCapturedContext(), allCommands).commands.map((command) =>
      command.name(),
    );
    assert.ok(commands.length >= 3);
    for (const name of commands) {
      const { code, out } = await runCommand(missingFolder, [name, '--help']);
      assert.equal(code, 0, name);
      assert.match(out, /\nExamples?:\n +\S+/, name);
      assert.match(out, /-c, --config <file>/, name);
    }
  });

  test('hides the commands for contributors in its help', async () => {
    assert.doesNotMatch((await runCommand(missingFolder, ['--help'])).out, /reference/);
  });
});

describe('a command that fails', () => {
  const report = (error: unknown, env = {}) => {
    const context = createCapturedContext(missingFolder, env);
    const code = reportCommandError(context, error);
    return { code, err: context.stderr.text };
  };

  test('prints the reason in one line, without a stack', () => {
    assert.deepEqual(report(new CommandError('Three blobs are missing.')), {
      code: 1,
      err: 'porter: Three blobs are missing.\n',
    });
    assert.deepEqual(report(new Refusal('not_found')), { code: 1, err: 'porter: Not found.\n' });
    assert.deepEqual(report(usageError('--limit takes a number')), {
      code: 2,
      err: 'porter: --limit takes a number\n',
    });
    assert.equal(report('just a word').err, 'porter: just a word\n');
  });

  test('lists every problem of an invalid config and exits with 2', () => {
    const error = new ConfigError('a.yml', [
      { line: 9, key: 'b', message: 'second' },
      { line: 1, key: 'a', message: 'first', hint: 'a hint' },
    ]);
    assert.deepEqual(report(error), {
      code: 2,
      err: 'a.yml:1: a: first; a hint\na.yml:9: b: second\n2 problems with the config; nothing was done.\n',
    });
  });

  test('explains a system error and its remedy', () => {
    const inUse = Object.assign(new Error('listen EADDRINUSE: address already in use 127.0.0.1:5050'), {
      code: 'EADDRINUSE',
      syscall: 'listen',
      address: '127.0.0.1',
      port: 5050,
    });
    assert.equal(
      formatErrorMessage(inUse),
      'listen 127.0.0.1:5050: the address is already in use. Is another Porter running?',
    );
  });

  test('names the missing folder of a Unix socket', async () => {
    const server = createServer();
    const failed = once(server, 'error');
    server.listen('/nonexistent/porter.sock');
    const [error] = await failed;
    assert.equal(
      formatErrorMessage(error),
      'listen /nonexistent/porter.sock: there is no folder /nonexistent. Create it, or let systemd do it (RuntimeDirectory=).',
    );
  });

  test('names the file of a system error', async () => {
    const { code, err } = await runCommand(missingFolder, ['init']);
    assert.equal(code, 1);
    assert.match(
      err,
      /^porter: open \/nonexistent\/porter\.yml: no such file or folder\. Check the path\.\n$/,
    );
  });

  test('prints the stack with PORTER_DEBUG=1', () => {
    assert.match(report(new Error('odd')).err, /^porter: odd \(PORTER_DEBUG=1 shows more\)\n$/);
    assert.match(report(new Error('odd'), { PORTER_DEBUG: '1' }).err, /Error: odd\n\s+at /);
  });
});

test('takes -c behind the command', async () => {
  const context = createCapturedContext();
  const program = createProgram(context, allCommands);
  assert.ok(program instanceof Command);
  let received: unknown;
  program.command('hello').action((_options, command: Command) => {
    received = command.optsWithGlobals().config;
  });
  await program.parseAsync(['hello', '-c', 'x.yml'], { from: 'user' });
  assert.equal(received, 'x.yml', '-c after the command');
});
