/**
 * `npm run release:check [-- --quick]`: the checklist of a release (docs/releasing.md). Runs every step and prints its result.
 * Exit code 1 if a step fails.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageJson } from './application.ts';
import { checkNodeVersion } from './node-runtime.ts';
import { digestFile, ROOT, run } from './run.ts';
import { checkReleaseBinaries } from './unpack.ts';

const { version } = packageJson;
const RELEASE = join(ROOT, 'release');
const isQuick = process.argv.includes('--quick');

/** A step of the checklist. `check` throws or rejects if the condition is not met, and may return a remark. */
type Step = readonly [name: string, check: () => unknown];

const steps: readonly Step[] = [
  ['the version is the same in package.json, package-lock.json and the YunoHost manifest', checkVersion],
  [`CHANGELOG.md has an entry for ${version}, and nothing under "Unreleased"`, checkChangelog],
  ['the working tree has no changes', checkTree],
  ['migrations are numbered without gaps, and released ones are unchanged', checkMigrations],
  ['databases of all earlier schemas upgrade', () => runTests('test/conformance/upgrade.test.ts')],
  ['generated documentation is up to date', () => runTests('test/unit/config')],
  ['the packages contain the Node.js that the tests use', checkNodeVersion],
  ['all packages are built, with the digests in SHA256SUMS', checkFiles],
  ['every binary is for the architecture of its package', checkArchitectures],
  ['a second build has the same bytes', isQuick ? () => 'skipped by --quick' : reproduce],
  ['lintian finds no errors', isQuick ? () => 'skipped by --quick' : checkLintian],
  ['the packages install, work and can be removed', isQuick ? () => 'skipped by --quick' : testPackages],
];

let failed = 0;
for (const [name, check] of steps) {
  try {
    const remark = await check();
    console.log(`ok      ${name}${typeof remark === 'string' ? ` (${remark})` : ''}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n        ${error instanceof Error ? error.message : String(error)}`);
  }
}
console.log(failed === 0 ? '\nReady. Next: docs/releasing.md, step 7.' : `\n${failed} steps failed.`);
process.exitCode = failed === 0 ? 0 : 1;

function checkVersion(): void {
  const lockfile = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as { version: string };
  if (lockfile.version !== version)
    throw new Error(`package.json has ${version}, the lockfile ${lockfile.version}`);
  const manifest = readFileSync(join(ROOT, 'packaging/yunohost/manifest.toml'), 'utf8');
  if (!manifest.includes(`version = "${version}~ynh`))
    throw new Error(`packaging/yunohost/manifest.toml is not for version ${version}`);
}

function checkChangelog(): void {
  const text = readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8');
  if (!new RegExp(`^## ${version.replaceAll('.', '\\.')} \\(\\d{4}-\\d\\d-\\d\\d\\)$`, 'm').test(text)) {
    throw new Error(`Add the heading "## ${version} (YYYY-MM-DD)"`);
  }
  const unreleased = /^## Unreleased\n(.*?)(?=^## |$(?![\s\S]))/ms.exec(text)?.[1]?.trim() ?? '';
  if (unreleased !== '') throw new Error('Move the entries under "Unreleased" to the new version');
}

function checkTree(): void {
  const changes = run('git', ['status', '--porcelain']).trim();
  if (changes !== '') throw new Error(`Commit or remove:\n${changes}`);
}

function checkMigrations(): string {
  const names = readdirSync(join(ROOT, 'migrations')).toSorted();
  names.forEach((name, index) => {
    if (Number(name.slice(0, 4)) !== index + 1)
      throw new Error(`${name} is number ${index + 1} in its order`);
  });
  const lastTag = run('git', ['tag', '--list', 'v*', '--sort=-v:refname']).split('\n')[0] ?? '';
  if (lastTag === '') return 'no release before this one';
  const changed = run('git', [
    'diff',
    '--name-status',
    '--diff-filter=DMR',
    lastTag,
    '--',
    'migrations',
  ]).trim();
  if (changed !== '') throw new Error(`Changed since ${lastTag}:\n${changed}`);
  return `compared with ${lastTag}`;
}

function runTests(...paths: readonly string[]): void {
  run(process.execPath, [join(ROOT, 'test/run.ts'), ...paths]);
}

async function checkFiles(): Promise<void> {
  const expected = [
    ...['amd64', 'arm64'].map((architecture) => `xmpp-porter_${version}_${architecture}.deb`),
    ...['x64', 'arm64'].map((architecture) => `porter-${version}-linux-${architecture}.tar.gz`),
    `porter-${version}-oci.tar`,
    `xmpp-porter-${version}.tgz`,
    `porter-${version}.cdx.json`,
  ];
  const missing = expected.filter((name) => !existsSync(join(RELEASE, name)));
  if (missing.length > 0) throw new Error(`Missing in release/: ${missing.join(', ')}. Run: npm run release`);
  const sums = readFileSync(join(RELEASE, 'SHA256SUMS'), 'utf8');
  for (const name of expected) {
    if (!sums.includes(`${await digestFile(join(RELEASE, name))}  ${name}\n`))
      throw new Error(`Wrong digest of ${name}`);
  }
}

function checkLintian(): void {
  const packages = ['amd64', 'arm64'].map((name) => join(RELEASE, `xmpp-porter_${version}_${name}.deb`));
  run('lintian', ['--fail-on', 'error', ...packages]);
}

function checkArchitectures(): string {
  return checkReleaseBinaries(RELEASE, join(RELEASE, 'work-binaries')).join('; ');
}

function reproduce(): void {
  run(process.execPath, [join(ROOT, 'packaging/release/reproduce.ts')]);
}

function testPackages(): void {
  run(process.execPath, [join(ROOT, 'packaging/test/run.ts')]);
}
