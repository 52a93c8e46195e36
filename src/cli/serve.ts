import type { Command } from 'commander';
import type { App } from '../app.ts';
import type { Config } from '../config/load.ts';
import { ConfigError } from '../config/problems.ts';
import { configOf } from './config-file.ts';
import { sentenceOf } from './fail.ts';
import { example } from './help.ts';
import type { Shell } from './shell.ts';

const GRACE_MS = 30_000;

export function addServe(program: Command, shell: Shell): void {
  program
    .command('serve')
    .summary('run the server')
    .description('Runs the server until SIGTERM or SIGINT. SIGHUP reads config and certificates again.')
    .addHelpText('after', example('porter serve -c /etc/porter/porter.yml'))
    .action(async (_options: object, command: Command) => {
      const hangups = hearHangups();
      try {
        const config = await configOf(shell, command);
        const stopped = nextStop();
        // Only this command needs all of the server.
        const { startApp } = await import('../app.ts');
        const app = await startApp(config);
        for (const warning of config.warnings) app.log.warn(warning);
        hangups.answer(() => reloadConfig(app, () => configOf(shell, command)));
        if (config.file === null) shell.out.write(welcome(app, config));
        app.log.info({ signal: await stopped }, 'stopping');
        hangups.ignore();
        process.on('SIGTERM', endNow).on('SIGINT', endNow);
        await app.stop(GRACE_MS);
        app.log.info('stopped');
        process.off('SIGTERM', endNow).off('SIGINT', endNow);
      } finally {
        hangups.close();
      }
    });
}

/**
 * SIGHUP, from the first moment to the last: unheard it would end the process. One that comes during the start is
 * answered after it; several are answered one after the other.
 */
function hearHangups() {
  let reload: (() => Promise<void>) | undefined;
  let missed = false;
  let last = Promise.resolve();
  const heard = () => {
    if (reload) last = last.then(reload);
    else missed = true;
  };
  process.on('SIGHUP', heard);
  return {
    answer(by: () => Promise<void>): void {
      reload = by;
      if (missed) heard();
    },
    ignore(): void {
      reload = async () => {};
    },
    close(): void {
      process.off('SIGHUP', heard);
    },
  };
}

/** Resolves with the first signal that asks to end. */
function nextStop(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const stop = (signal: NodeJS.Signals) => {
      process.off('SIGTERM', stop).off('SIGINT', stop);
      resolve(signal);
    };
    process.on('SIGTERM', stop).on('SIGINT', stop);
  });
}

/** A second signal: whoever sends it does not want to wait for transfers. */
function endNow(): never {
  process.exit(1);
}

async function reloadConfig(app: App, read: () => Promise<Config>): Promise<void> {
  try {
    const config = await read();
    await app.reload(config);
    for (const warning of config.warnings) app.log.warn(warning);
    app.log.info('config read again');
  } catch (error) {
    const why = error instanceof ConfigError ? error.format() : sentenceOf(error);
    app.log.error({ why }, 'the new config is no good; the old one stays');
  }
}

/** For somebody who just typed `npm start`: three lines that work as pasted. */
function welcome({ addresses }: App, { storage }: Config): string {
  const address = addresses.find((place) => 'port' in place);
  const url = `http://127.0.0.1:${address && 'port' in address ? address.port : 5050}`;
  const place = storage.blobs.kind === 'folder' ? storage.blobs.path : storage.blobs.bucket;
  return `
Porter is at ${url}, files go to ${place}. Everybody on this machine may upload,
100 MiB a file and 1 GiB in all. Ask for a slot, upload, download:

  SLOT=$(curl -s '${url}/slot/?jid=me@localhost&name=hello.txt&size=13&content_type=text/plain')
  curl -H 'Content-Type: text/plain' -X PUT --data-binary 'Hello, world!' "$(echo "$SLOT" | head -n 1)"
  curl "$(echo "$SLOT" | tail -n 1)"

Next, beside your XMPP server: npm run -s porter -- init --for prosody --domain example.org

`;
}
