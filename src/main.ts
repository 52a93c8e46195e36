#!/usr/bin/env node
import './cli/lib/v8-heap.ts';
import './cli/lib/thread-pool.ts';

// Loaded after it: reading all the code is what lets the heap grow first.
const { runCommandLine } = await import('./cli/program.ts');
const { createProcessContext } = await import('./cli/lib/command-context.ts');

// `porter uploads | head`: a reader that has seen enough is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await runCommandLine(process.argv.slice(2), createProcessContext());
