/**
 * `npm run release [-- PART…]`: builds the packages of a release into `release/`. Parts: deb, tarball, npm, image, sbom. Without a
 * part: all, with their checksums in SHA256SUMS. `--arch amd64` or `--arch arm64` limits deb and tarball to one architecture;
 * `--fast` compresses little, for tests.
 *
 * Two builds of one commit have the same bytes (conditions: docs/releasing.md). Needs npm, and dpkg-deb, apt-get and GNU tar of Debian,
 * but no Docker, no root and no machine of the other architecture.
 */
import { mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Applications, packageJson, stageApplications } from './application.ts';
import { normalizeModes, writeTar } from './archive.ts';
import { buildDeb } from './deb.ts';
import type { DebianPackage } from './debian-packages.ts';
import { type Architecture, architectures, checkNodeVersion } from './node-runtime.ts';
import { buildImage } from './oci.ts';
import { digestFile, ROOT, run } from './run.ts';
import { writeSbom } from './sbom.ts';
import { buildTarball } from './tarball.ts';
import { listPackages } from './unpack.ts';

const PARTS = ['deb', 'tarball', 'npm', 'image', 'sbom'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    arch: { type: 'string' },
    out: { type: 'string', default: join(ROOT, 'release') },
    fast: { type: 'boolean' },
    cache: { type: 'string', default: join(ROOT, 'release/cache') },
  },
});
const unknown = positionals.filter((part) => !PARTS.includes(part));
if (unknown.length > 0) throw new Error(`Unknown part: ${unknown.join(', ')}. Parts: ${PARTS.join(', ')}`);
if (values.arch !== undefined && !(values.arch in architectures)) {
  throw new Error(
    `Unknown architecture: ${values.arch}. Architectures: ${Object.keys(architectures).join(', ')}`,
  );
}
const wants = (part: string) => positionals.length === 0 || positionals.includes(part);
const chosen = Object.keys(architectures).filter(
  (name) => values.arch === undefined || name === values.arch,
) as Architecture[];

// Modes in archives come from the files, so they must not depend on the umask of the builder.
process.umask(0o022);
process.env.LC_ALL = 'C';
checkNodeVersion();
const { out, cache } = values;
const work = join(out, 'work');
rmSync(work, { recursive: true, force: true });
mkdirSync(work, { recursive: true });

const needsApplication = ['deb', 'tarball', 'image'].some(wants);
if (needsApplication) progress('compiles Porter and installs its dependencies');
const applications = needsApplication ? stageApplications(work) : ({} as Applications);
const input = { applications, cache, work, out };
for (const architecture of chosen) {
  if (wants('deb')) report(await buildDeb(input, architecture));
  if (wants('tarball')) report(await buildTarball(input, architecture));
}
if (wants('npm')) report(buildNpmPackage());
let debianPackages: readonly DebianPackage[] = [];
if (wants('image')) {
  const image = await buildImage(input);
  debianPackages = image.debianPackages;
  report(image.file);
}
if (wants('sbom')) report(await writeSbom(out, debianPackages));
rmSync(work, { recursive: true });
await writeChecksums();

/** Builds the npm package. Repacks the archive of npm, because npm keeps the modes of the files in this checkout. */
function buildNpmPackage(): string {
  const name = `xmpp-porter-${packageJson.version}`;
  run('npm', ['pack', '--silent', '--pack-destination', work]);
  const folder = join(work, 'npm');
  mkdirSync(folder);
  run('tar', ['-xzf', join(work, `${name}.tgz`), '-C', folder]);
  normalizeModes(folder);
  writeTar(join(work, `${name}.tar.gz`), folder);
  const file = join(out, `${name}.tgz`);
  renameSync(join(work, `${name}.tar.gz`), file);
  return file;
}

async function writeChecksums(): Promise<void> {
  const lines = await Promise.all(
    listPackages(out).map(async (name) => `${await digestFile(join(out, name))}  ${name}\n`),
  );
  writeFileSync(join(out, 'SHA256SUMS'), lines.join(''));
  report(join(out, 'SHA256SUMS'));
}

function progress(text: string): void {
  console.log(`… ${text}`);
}

function report(file: string): void {
  console.log(`${(statSync(file).size / 1e6).toFixed(1).padStart(7)} MB  ${basename(file)}`);
}
