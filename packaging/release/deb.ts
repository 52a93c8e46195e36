import { chmodSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeManAndCompletions } from '../man/write-man-pages.ts';
import { type Applications, packageJson } from './application.ts';
import { compression, normalizeModes, sizeKiB, sourceDateEpoch } from './archive.ts';
import { checkBinaries } from './binaries.ts';
import { formatCopyright } from './copyright.ts';
import { copyDebianDocumentation } from './documentation.ts';
import { maintainer } from './maintainer.ts';
import { type Architecture, addNode } from './node-runtime.ts';
import { ROOT, run } from './run.ts';

const FILES = join(ROOT, 'packaging/debian');
const NAME = 'xmpp-porter';

export interface PackageInput {
  /** The folders that `stageApplications` has written. */
  readonly applications: Applications;
  /** A folder for downloads that are used again. */
  readonly cache: string;
  /** An empty folder for temporary files. */
  readonly work: string;
  /** The folder for the results. */
  readonly out: string;
}

/** Builds `xmpp-porter_VERSION_ARCHITECTURE.deb` and returns its path. */
export async function buildDeb(
  { applications, cache, work, out }: PackageInput,
  architecture: Architecture,
): Promise<string> {
  const root = join(work, `deb-${architecture}`);
  rmSync(root, { recursive: true, force: true });
  const lib = join(root, 'usr/lib/porter');
  cpSync(applications[architecture], join(lib, 'app'), { recursive: true });
  await addNode(cache, architecture, join(lib, 'bin'));
  // The launcher starts this file, so its `#!` line is removed: with it, the file would look like a program.
  run('sed', ['-i', '1s|^#!.*||', join(lib, 'app/dist/main.js')]);
  addFile(join(FILES, 'launcher.sh'), join(root, 'usr/bin/porter'), 0o755);
  addFile(join(ROOT, 'contrib/systemd/porter.service'), join(root, 'usr/lib/systemd/system/porter.service'));
  addFile(join(FILES, 'lintian-overrides'), join(root, 'usr/share/lintian/overrides', NAME));
  writeManAndCompletions(join(root, 'usr/share'), packageJson.version, releaseDate());
  addDocumentation(join(root, 'usr/share/doc', NAME), applications[architecture]);
  normalizeModes(root);
  compressManPages(join(root, 'usr/share/man'));
  addControl(join(root, 'DEBIAN'), architecture, sizeKiB(join(root, 'usr')));
  setDates(root);
  checkBinaries(root, architecture);
  const file = join(out, `${NAME}_${packageJson.version}_${architecture}.deb`);
  // One thread, because the number of threads changes the bytes.
  const format = compression.level === 1 ? ['-Zgzip', '-z1'] : ['-Zxz', '-z6', '--threads-max=1'];
  run('dpkg-deb', ['--root-owner-group', ...format, '--build', root, file], {
    env: { SOURCE_DATE_EPOCH: String(sourceDateEpoch()) },
  });
  rmSync(root, { recursive: true });
  return file;
}

/** Returns the date of the release in UTC, `YYYY-MM-DD`. */
export function releaseDate(): string {
  return new Date(sourceDateEpoch() * 1000).toISOString().slice(0, 10);
}

function addFile(from: string, to: string, mode = 0o644): void {
  mkdirSync(join(to, '..'), { recursive: true });
  cpSync(from, to);
  chmodSync(to, mode);
}

function addDocumentation(folder: string, application: string): void {
  copyDebianDocumentation(folder);
  writeFileSync(join(folder, 'copyright'), formatCopyright(application));
  writeFileSync(join(folder, 'changelog'), formatDebianChangelog());
  run('gzip', ['-n', '-9', join(folder, 'changelog')]);
}

function compressManPages(folder: string): void {
  run('find', [folder, '-type', 'f', '-exec', 'gzip', '-n', '-9', '{}', '+']);
}

function addControl(folder: string, architecture: Architecture, installedKiB: number): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'control'), formatControl(architecture, installedKiB));
  chmodSync(join(folder, 'control'), 0o644);
  for (const script of ['postinst', 'prerm', 'postrm'])
    addFile(join(FILES, script), join(folder, script), 0o755);
  const root = join(folder, '..');
  const sums = run('sh', ['-c', "find usr -type f | LC_ALL=C sort | tr '\\n' '\\0' | xargs -0 md5sum"], {
    cwd: root,
  });
  writeFileSync(join(folder, 'md5sums'), sums);
  chmodSync(join(folder, 'md5sums'), 0o644);
  chmodSync(folder, 0o755);
}

/** Returns the control file. `objdump -p` of Node.js lists the needed libraries and the versions of their symbols. */
function formatControl(architecture: Architecture, installedKiB: number): string {
  return `Package: ${NAME}
Version: ${packageJson.version}
Architecture: ${architecture}
Maintainer: ${maintainer()}
Installed-Size: ${installedKiB}
Depends: init-system-helpers (>= 1.54~), libatomic1, libc6 (>= 2.28), libgcc-s1, libstdc++6 (>= 6), passwd
Recommends: ca-certificates, systemd
Suggests: caddy | nginx | apache2, ejabberd | prosody
Section: net
Priority: optional
Description: file sharing and messaging beside an XMPP server
 Porter stores the files that people send in their chats (XEP-0363, HTTP File
 Upload), beside Prosody, ejabberd or any other XMPP server, with quotas,
 retention and explained refusals. Scripts and monitoring tools send messages
 into chats over HTTP.
 .
 This package contains its own Node.js.
`;
}

/** Returns the changelog with the entry of this release, in the format of Debian Policy, section 4.4. */
function formatDebianChangelog(): string {
  const date = new Date(sourceDateEpoch() * 1000).toUTCString().replace('GMT', '+0000');
  return `${NAME} (${packageJson.version}) stable; urgency=medium

  * Release ${packageJson.version}. All changes: CHANGELOG.md in this folder.

 -- ${maintainer()}  ${date}
`;
}

/** Sets the dates of all files, because dpkg-deb changes only dates after SOURCE_DATE_EPOCH. */
function setDates(root: string): void {
  run('find', [root, '-exec', 'touch', '--no-dereference', `--date=@${sourceDateEpoch()}`, '{}', '+']);
}
