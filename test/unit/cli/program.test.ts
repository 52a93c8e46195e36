import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Command } from 'commander';
import { Refusal } from '../../../src/base/errors.ts';
import { version } from '../../../src/base/version.ts';
import {
  CommandError,
  formatErrorMessage,
  reportCommandError,
  usageError,
} from '../../../src/cli/lib/command-error.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { ConfigError } from '../../../src/config/config-error.ts';
import { createCapturedContext, runCommand } from './run-command.ts';

const here = '/nonexistent';

describe('the command line', () => {
  test('says what there is when nothing or help is asked for', async () => {
    const asked = await runCommand(here, ['--help']);
    assert.equal(asked.code, 0);
    assert.match(asked.out, /HTTP file sharing and messaging beside any XMPP server/);
    assert.match(asked.out, /init .*write a config/);
    assert.match(asked.out, /Exit codes: 0 done, 1 failed, 2 wrong usage or config/);
    const nothing = await runCommand(here, []);
    assert.equal(nothing.code, 2);
    assert.match(nothing.err, /Usage: porter/);
  });

  test('knows its version', async () => {
    assert.deepEqual(await runCommand(here, ['--version']), { code: 0, out: `${version}\n`, err: '' });
  });

  test('takes a wrong command, option or argument as wrong usage, and says what was meant', async () => {
    const wrong = await runCommand(here, ['chekc']);
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /unknown command 'chekc'\n\(Did you mean check\?\)/);
    const option = await runCommand(here, ['check', '--jsno']);
    assert.equal(option.code, 2);
    assert.match(option.err, /Did you mean --json\?/);
    assert.equal((await runCommand(here, ['check', 'superfluous'])).code, 2);
    assert.equal((await runCommand(here, ['init', '--for', 'icq'])).code, 2);
  });

  test('has help with an example for every command', async () => {
    const commands = createProgram(createCapturedContext()).commands.map((command) => command.name());
    assert.ok(commands.length >= 3);
    for (const name of commands) {
      const { code, out } = await runCommand(here, [name, '--help']);
      assert.equal(code, 0, name);
      assert.match(out, /\nExamples?:\n +\S+/, name);
      assert.match(out, /-c, --config <file>/, name);
    }
  });

  test('keeps what is only for those who work on it out of its help', async () => {
    assert.doesNotMatch((await runCommand(here, ['--help'])).out, /reference/);
  });
});

describe('a command that fails', () => {
  const told = (error: unknown, env = {}) => {
    const shell = createCapturedContext(here, env);
    const code = reportCommandError(shell, error);
    return { code, err: shell.stderr.text };
  };

  test('says why in one line, without a stack', () => {
    assert.deepEqual(told(new CommandError('Three blobs are missing.')), {
      code: 1,
      err: 'porter: Three blobs are missing.\n',
    });
    assert.deepEqual(told(new Refusal('not_found')), { code: 1, err: 'porter: Nothing is here.\n' });
    assert.deepEqual(told(usageError('--limit takes a number')), {
      code: 2,
      err: 'porter: --limit takes a number\n',
    });
    assert.equal(told('just a word').err, 'porter: just a word\n');
  });

  test('with a bad config lists every problem and ends with 2', () => {
    const error = new ConfigError('a.yml', [
      { line: 9, key: 'b', message: 'second' },
      { line: 1, key: 'a', message: 'first', hint: 'a hint' },
    ]);
    assert.deepEqual(told(error), {
      code: 2,
      err: 'a.yml:1: a: first; a hint\na.yml:9: b: second\n2 problems with the config; nothing was done.\n',
    });
  });

  test('with an error of the system says it in words', () => {
    const inUse = Object.assign(new Error('listen EADDRINUSE: address already in use 127.0.0.1:5050'), {
      code: 'EADDRINUSE',
      syscall: 'listen',
      address: '127.0.0.1',
      port: 5050,
    });
    assert.equal(
      formatErrorMessage(inUse),
      'listen 127.0.0.1:5050: the address is in use already; is another Porter running?',
    );
  });

  test('with a file that is not there names it', async () => {
    const { code, err } = await runCommand(here, ['init']);
    assert.equal(code, 1);
    assert.match(err, /^porter: open \/nonexistent\/porter\.yml: there is no such file or folder\n$/);
  });

  test('shows the whole story to those who ask for it', () => {
    assert.match(told(new Error('odd')).err, /^porter: odd \(PORTER_DEBUG=1 shows more\)\n$/);
    assert.match(told(new Error('odd'), { PORTER_DEBUG: '1' }).err, /Error: odd\n\s+at /);
  });
});

test('a command is added by one function', async () => {
  const shell = createCapturedContext();
  const program = createProgram(shell);
  assert.ok(program instanceof Command);
  let heard: unknown;
  program.command('hello').action((_options, command: Command) => {
    heard = command.optsWithGlobals().config;
  });
  await program.parseAsync(['hello', '-c', 'x.yml'], { from: 'user' });
  assert.equal(heard, 'x.yml', '-c may stand behind the command');
});
