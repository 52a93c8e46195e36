import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { allCommands } from '../../../src/cli/all-commands.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { createCapturedContext, runCommand } from './run-command.ts';

const missingFolder = '/nonexistent';

async function completionScript(shell: string): Promise<string> {
  const { code, out } = await runCommand(missingFolder, ['completion', shell]);
  assert.equal(code, 0);
  return out;
}

/** Lets bash complete a command line whose last word is incomplete, and returns its proposals. */
async function completeInBash(...words: readonly string[]): Promise<string[]> {
  const script = await completionScript('bash');
  const line = words.map((word) => `'${word}'`).join(' ');
  const code = `${script}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _porter; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', code], { encoding: 'utf8' })
    .split('\n')
    .filter((word) => word !== '');
}

describe('the completion script of bash', () => {
  test('proposes commands, also after -c FILE', async () => {
    assert.deepEqual(await completeInBash('porter', 'fs'), ['fsck']);
    assert.deepEqual(await completeInBash('porter', '-c', 'porter.yml', 'upl'), ['uploads']);
  });

  test('proposes the options of the command, and the values of an option', async () => {
    assert.deepEqual(await completeInBash('porter', 'fsck', '--re'), ['--repair', '--rejoin']);
    assert.deepEqual(await completeInBash('porter', 'init', '--for', 'e'), ['ejabberd']);
    assert.deepEqual(await completeInBash('porter', 'help', 'wh'), ['why']);
  });

  test('proposes files where a file is expected', async () => {
    assert.deepEqual(await completeInBash('porter', 'serve', '-c', '/etc/os-rel'), ['/etc/os-release']);
  });
});

for (const shell of ['bash', 'zsh', 'fish']) {
  test(`the completion script of ${shell} has every command and option that the help shows`, async () => {
    const script = await completionScript(shell);
    const program = createProgram(createCapturedContext(), allCommands);
    for (const command of program.createHelp().visibleCommands(program)) {
      assert.match(script, new RegExp(`\\b${command.name()}\\b`));
      for (const { long, hidden } of command.options) {
        if (!hidden)
          assert.match(script, new RegExp(`(?:--|-l )${long?.slice(2)}\\b`), `${command.name()} ${long}`);
      }
    }
    assert.doesNotMatch(script, /reference/);
  });
}

test('completion names the shells that it knows', async () => {
  const { code, err } = await runCommand(missingFolder, ['completion', 'tcsh']);
  assert.equal(code, 2);
  assert.match(err, /bash, zsh, fish/);
});
