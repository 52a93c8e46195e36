/**
 * `npm run test:matrix [-- RELEASE…] [--quick] [--if-possible] [--install] [--write-docs]`: runs the tests with XMPP servers against
 * the Prosody and ejabberd of other Debian releases, each in a folder with `chroot`; `host` is this system. Default: `host sid`.
 * Needs root.
 *
 * - `--quick`: only the tests of the component, of messages and of logins.
 * - `--if-possible`: says why a release cannot be installed here, and leaves it out. A failed test is still a failure.
 * - `--install`: installs the releases and runs no tests, so that this can be done while other tests run.
 * - `--write-docs`: writes the table into docs/xmpp.md.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DebianRoot, openDebianRoot } from './debian-root.ts';
import { insertTable, type MatrixRow, renderTable } from './report.ts';

const TESTS = join(import.meta.dirname, '..');
const DOCUMENT = join(TESTS, '../docs/xmpp.md');

/** Test files by feature, below `real/`. */
const FEATURES: Readonly<Record<string, Readonly<Record<'prosody' | 'ejabberd', readonly string[]>>>> = {
  component: {
    prosody: ['uploads/uploads-prosody', 'xmpp/component-stream', 'xmpp/idn', 'xmpp/hosted-domains-prosody'],
    ejabberd: ['uploads/uploads-ejabberd', 'xmpp/idn', 'xmpp/hosted-domains-ejabberd'],
  },
  'signed links, slot API': {
    prosody: ['uploads/signed-links-prosody'],
    ejabberd: ['uploads/signed-links-ejabberd'],
  },
  messages: {
    prosody: ['messages/messages-prosody', 'xmpp/senders-prosody', 'xmpp/sasl2'],
    ejabberd: ['messages/messages-ejabberd', 'xmpp/senders-ejabberd'],
  },
  callbacks: {
    prosody: ['messages/callbacks-prosody'],
    ejabberd: ['messages/callbacks-ejabberd'],
  },
  takeover: { prosody: ['cluster/stream-failover-prosody'], ejabberd: ['cluster/stream-failover-ejabberd'] },
};

/** The files of `--quick`. */
const QUICK: typeof FEATURES = {
  'component, messages': {
    prosody: ['uploads/uploads-prosody', 'messages/messages-prosody', 'xmpp/sasl2'],
    ejabberd: ['uploads/uploads-ejabberd', 'messages/messages-ejabberd'],
  },
};

/** Time for the installation of one release. With `--if-possible` a slow archive of Debian counts as unreachable. */
const INSTALL_SECONDS = 1_200;
const INSTALL_SECONDS_IN_BACKGROUND = 600;
const INSTALL_SECONDS_IF_POSSIBLE = 300;

const SERVERS = { prosody: 'Prosody', ejabberd: 'ejabberd' } as const;
type Server = keyof typeof SERVERS;

/** Returns the version of the Debian package, without the revision. */
function versionOf(server: Server, root: DebianRoot | undefined): string {
  const query = ['dpkg', '--status', server];
  const [program = '', ...args] = root === undefined ? query : ['chroot', root.path, ...query];
  const { stdout } = spawnSync(program, args, { encoding: 'utf8' });
  return /^Version: (.*?)(?:-[^-]*)?$/m.exec(stdout)?.[1] ?? 'unknown';
}

interface Outcome {
  readonly passed: number;
  readonly failed: number;
}

async function runFiles(files: readonly string[], root: DebianRoot | undefined): Promise<Outcome> {
  const paths = files.map((file) => join(TESTS, 'real', `${file}.test.ts`));
  const env = { ...process.env, PORTER_REQUIRE_PEERS: '1', PORTER_XMPP_ROOT: root?.path ?? '' };
  const child = spawn(process.execPath, [join(TESTS, 'run.ts'), ...paths], { env });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  const count = (word: string) => Number(new RegExp(`^ℹ ${word} (\\d+)$`, 'm').exec(output)?.[1] ?? 0);
  const outcome = { passed: count('pass'), failed: count('fail') };
  if (code === 0 && outcome.passed > 0) return outcome;
  console.log(output.slice(output.indexOf('✖ failing tests:')));
  return { ...outcome, failed: Math.max(1, outcome.failed) };
}

/** Returns null, and says why, if the release cannot be installed and may be left out. */
function openRoot(release: string): DebianRoot | null {
  try {
    return openDebianRoot(release, installSeconds);
  } catch (error) {
    if (!isOptional) throw error;
    console.log(`The XMPP servers of Debian ${release} were not tested: ${(error as Error).message}`);
    return null;
  }
}

async function runRelease(root: DebianRoot | undefined): Promise<MatrixRow[]> {
  const rows: MatrixRow[] = [];
  try {
    for (const server of Object.keys(SERVERS) as Server[]) {
      const version = versionOf(server, root);
      const results = new Map<string, Outcome>();
      for (const [feature, byServer] of Object.entries(features)) {
        if (byServer[server].length === 0) continue;
        const outcome = await runFiles(byServer[server], root);
        console.log(
          `${SERVERS[server]} ${version}: ${feature}: ${outcome.passed} passed, ${outcome.failed} failed`,
        );
        results.set(feature, outcome);
      }
      rows.push({ server: SERVERS[server], version, results });
    }
  } finally {
    root?.close();
  }
  return rows;
}

const words = process.argv.slice(2);
const releases = words.filter((word) => !word.startsWith('--'));
const features = words.includes('--quick') ? QUICK : FEATURES;
const isOptional = words.includes('--if-possible');
const isInstallation = words.includes('--install');
const installSeconds = isOptional
  ? INSTALL_SECONDS_IF_POSSIBLE
  : isInstallation
    ? INSTALL_SECONDS_IN_BACKGROUND
    : INSTALL_SECONDS;
const rows: MatrixRow[] = [];
for (const release of releases.length === 0 ? ['host', 'sid'] : releases) {
  const root = release === 'host' ? undefined : openRoot(release);
  if (isInstallation) root?.close();
  else if (root !== null) rows.push(...(await runRelease(root)));
}
if (isInstallation) process.exit();

const outcomes = rows.flatMap(({ results }) => [...results.values()]);
const sum = (key: keyof Outcome) => outcomes.reduce((total, outcome) => total + outcome[key], 0);
const table = renderTable(rows, Object.keys(features));
console.log(table);
if (words.includes('--write-docs'))
  writeFileSync(DOCUMENT, insertTable(readFileSync(DOCUMENT, 'utf8'), table, new Date()));
console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
process.exitCode = sum('failed') > 0 ? 1 : 0;
