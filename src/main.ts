#!/usr/bin/env node
import './cli/heap.ts';
import './cli/threads.ts';

// Loaded after it: reading all the code is what lets the heap grow first.
const { run } = await import('./cli/program.ts');
const { processShell } = await import('./cli/shell.ts');

// `porter uploads | head`: a reader that has seen enough is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await run(process.argv.slice(2), processShell());
