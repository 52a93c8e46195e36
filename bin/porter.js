#!/usr/bin/env node
// The command `porter`, in a checkout and in the package. It is JavaScript, because an old Node.js cannot read TypeScript and would
// print a syntax error instead of this message.
import { existsSync } from 'node:fs';

const [major] = process.versions.node.split('.');
if (Number(major) < 24) {
  process.stderr.write(`Porter needs Node.js 24 or newer; this is ${process.versions.node}.\n`);
  process.exit(1);
}

const source = new URL('../src/main.ts', import.meta.url);
await import((existsSync(source) ? source : new URL('../dist/main.js', import.meta.url)).href);
