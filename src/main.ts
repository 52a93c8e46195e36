#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';

// The oldest supported version, as in package.json. `bin/porter.js` checks it too. This check is for `node dist/main.js`.
if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(`Porter needs Node.js 24 or newer; this is ${process.versions.node}.\n`);
  process.exit(1);
}

/*
 * Process-wide settings. They must be in place before any other code is loaded, because V8 sizes its heap and libuv its
 * thread pool at first use; therefore everything else is loaded with `import()` below.
 */

// By default V8 collects short-lived objects only when they fill 64 MiB. With these two settings the server
// stays below 200 MB during 500 parallel uploads (measured: `npm run bench -- memory`). Under load, the server lets this space
// grow a little (server/young-generation.ts).
setFlagsFromString('--semi-space-growth-factor=1');
// Percent by which the old generation may grow before a collection.
setFlagsFromString('--heap-growing-percent=25');

// The threads wait for disks more than they compute. With `storage.sync: true` on ext4, 16 threads store 10 KB files
// 1.4 times as fast as Node's default of 4, because more fsyncs share one commit of the file system
// (measured: `npm run bench -- put-small`).
process.env.UV_THREADPOOL_SIZE ??= '16';

const { runCommandLine } = await import('./cli/program.ts');
const { createProcessContext } = await import('./cli/lib/command-context.ts');

// The reader of a pipe may close it early, as in `porter uploads | head`. That is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await runCommandLine(process.argv.slice(2), createProcessContext());
