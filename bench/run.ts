import { readFile, writeFile } from 'node:fs/promises';
import { isInstalled, type PeerName, peers } from '../test/real/peers/peers.ts';
import { type BenchFolders, createBenchFolders } from './bench-folders.ts';
import { cases } from './cases/all.ts';
import type { Case } from './cases/case.ts';
import { BenchEnvironment } from './environment.ts';
import { type BenchOptions, readOptions, USAGE } from './options.ts';
import { endChildren } from './processes.ts';
import {
  describeMachine,
  formatCase,
  formatJson,
  formatTargets,
  insertMarkdown,
  type Measured,
} from './report.ts';

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options.help) {
    console.log(USAGE);
    return;
  }
  const chosen = choose(options);
  if (options.list) {
    for (const { name, title } of chosen) console.log(`${name.padEnd(18)}${title}`);
    return;
  }
  reportMissing();
  const folders = await createBenchFolders(options.folder);
  const clean = async () => {
    await endChildren();
    await folders.remove();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void clean().finally(() => process.exit(130)));
  }
  process.once('uncaughtException', (error) => {
    console.error(error);
    void clean().finally(() => process.exit(1));
  });
  try {
    await bench(options, chosen, folders);
  } finally {
    await clean();
  }
}

function choose({ filters }: BenchOptions): Case[] {
  const wanted = cases.filter(
    ({ name }) => filters.length === 0 || filters.some((word) => name.includes(word)),
  );
  if (wanted.length > 0) return wanted;
  throw new Error(`No case has "${filters.join('" or "')}" in its name. --list shows all cases.`);
}

const USED: readonly PeerName[] = ['wrk', 'curl', 'nginx', 'prosody', 'ejabberd', 'ceph'];

function reportMissing(): void {
  const missing = USED.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  const packages = missing.flatMap((name) => peers[name].packages).join(' ');
  console.log(`Not installed: ${missing.join(', ')}. Cases that need them are left out.`);
  console.log(`Debian: apt-get install ${packages}\n`);
}

async function bench(options: BenchOptions, chosen: readonly Case[], folders: BenchFolders): Promise<void> {
  const about = describeMachine(folders);
  const aboutLines = Object.entries(about).map(([key, value]) => `${`${key}:`.padEnd(9)}${value}`);
  console.log(aboutLines.join('\n'));
  const environment = new BenchEnvironment(options, folders, console.log);
  const done: Measured[] = [];
  for (const measured of chosen) {
    console.log(`\n${measured.title}`);
    const result = await tryCase(measured, environment);
    if (result) done.push(result);
  }
  console.log(`\n${'='.repeat(78)}\n${aboutLines.join('\n')}\n`);
  console.log(done.map(formatCase).join('\n\n'));
  const targets = formatTargets(done);
  if (targets.length > 0) console.log(`\nTargets\n${targets.join('\n')}`);
  const { markdown } = options;
  if (markdown !== undefined) {
    const page = await readFile(markdown, 'utf8').catch(() => '# Results');
    await writeFile(markdown, insertMarkdown(page, about, done));
  }
  if (options.json !== undefined) await writeFile(options.json, formatJson(about, done));
}

/** Runs one case. If it fails, reports the reason and continues with the others. */
async function tryCase(measured: Case, environment: BenchEnvironment): Promise<Measured | undefined> {
  const missing = measured.needs.filter((name) => !isInstalled(name));
  if (missing.length > 0) {
    console.log(`  left out: needs ${missing.join(', ')}`);
    return undefined;
  }
  try {
    return { measured, outcome: await measured.measure(environment) };
  } catch (error) {
    console.log(`  NOT MEASURED: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
    return undefined;
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
