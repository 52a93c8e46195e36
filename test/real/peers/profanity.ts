import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from '../support/program.ts';
import type { Account } from './slixmpp.ts';

/** The terminal client profanity in a tmux session, driven by keystrokes and screen contents. */
export interface Profanity {
  /** Types a line and presses Enter. */
  typeLine(line: string): Promise<void>;
  /** Waits until the screen matches; throws with the last screen after five minutes. */
  waitForScreen(expected: RegExp): Promise<string>;
  stop(): Promise<void>;
}

const TIMEOUT_MS = 300_000;

export async function startProfanity({ jid, password, port }: Account): Promise<Profanity> {
  const home = await mkdtemp(join(tmpdir(), 'porter-profanity-'));
  const tmux = (...args: readonly string[]) =>
    runProgram('tmux', ['-S', join(home, 'tmux'), '-f', '/dev/null', ...args]);
  const env = {
    HOME: home,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_DATA_HOME: join(home, 'data'),
    LC_ALL: 'C.UTF-8',
  };
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  await tmux('new-session', '-d', '-x', '220', '-y', '60', 'env', ...variables, 'profanity');

  const profanity: Profanity = {
    async typeLine(line) {
      await tmux('send-keys', '-l', line);
      await tmux('send-keys', 'Enter');
    },
    async waitForScreen(expected) {
      const deadline = Date.now() + TIMEOUT_MS;
      for (;;) {
        const { stdout } = await tmux('capture-pane', '-p', '-J');
        if (expected.test(stdout)) return stdout;
        if (Date.now() > deadline) throw new Error(`profanity did not show ${expected}:\n${stdout}`);
        await sleep(50);
      }
    },
    async stop() {
      await tmux('kill-server');
      await rm(home, { recursive: true, force: true });
    },
  };
  try {
    await profanity.waitForScreen(/Type '\/help'/);
    await profanity.typeLine(`/account add test`);
    await profanity.typeLine(`/account set test jid ${jid}`);
    await profanity.typeLine(`/account set test server 127.0.0.1`);
    await profanity.typeLine(`/account set test port ${port}`);
    await profanity.typeLine(`/account set test password ${password}`);
    await profanity.typeLine(`/account set test tls trust`);
    await profanity.typeLine('/connect test');
    await profanity.waitForScreen(/logged in successfully/);
    return profanity;
  } catch (error) {
    await profanity.stop();
    throw error;
  }
}
