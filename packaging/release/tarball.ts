import { chmodSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeManAndCompletions } from '../man/write-man-pages.ts';
import { packageJson } from './application.ts';
import { normalizeModes, writeTar } from './archive.ts';
import { checkBinaries } from './binaries.ts';
import { type PackageInput, releaseDate } from './deb.ts';
import { extractDebianPackages, TARBALL_SUITE } from './debian-packages.ts';
import { copyDocumentation } from './documentation.ts';
import { type Architecture, addNode, architectures } from './node-runtime.ts';
import { ROOT, run } from './run.ts';

/** Builds `porter-VERSION-linux-ARCHITECTURE.tar.gz`, which runs from any folder, and returns its path. */
export async function buildTarball(
  { applications, cache, work, out }: PackageInput,
  architecture: Architecture,
): Promise<string> {
  const name = `porter-${packageJson.version}-linux-${architectures[architecture]}`;
  const parent = join(work, `tarball-${architecture}`);
  const root = join(parent, name);
  rmSync(parent, { recursive: true, force: true });
  const lib = join(root, 'lib/porter');
  cpSync(applications[architecture], join(lib, 'app'), { recursive: true });
  await addNode(cache, architecture, join(lib, 'bin'));
  addLibatomic(cache, work, architecture, join(lib, 'lib'));
  mkdirSync(join(root, 'bin'));
  for (const [from, to] of [
    ['packaging/tarball/launcher.sh', 'bin/porter'],
    ['packaging/tarball/install.sh', 'install.sh'],
  ] as const) {
    cpSync(join(ROOT, from), join(root, to));
    chmodSync(join(root, to), 0o755);
  }
  writeManAndCompletions(join(root, 'share'), packageJson.version, releaseDate());
  copyDocumentation(root);
  writeFileSync(join(root, 'VERSION'), `${packageJson.version}\n`);
  normalizeModes(root);
  checkBinaries(root, architecture);
  const file = join(out, `${name}.tar.gz`);
  writeTar(file, parent);
  rmSync(parent, { recursive: true });
  return file;
}

/**
 * Adds libatomic, which Node.js needs and minimal systems do not have. Its licence, the GPL with the GCC Runtime Library Exception, allows
 * its distribution. Its copyright file is added too.
 */
function addLibatomic(cache: string, work: string, architecture: Architecture, folder: string): void {
  const root = join(work, `libatomic-${architecture}`);
  extractDebianPackages({
    cache,
    suite: TARBALL_SUITE,
    architecture,
    names: ['libatomic1', 'gcc-12-base'],
    root,
  });
  const triplet = architecture === 'amd64' ? 'x86_64-linux-gnu' : 'aarch64-linux-gnu';
  mkdirSync(folder, { recursive: true });
  run('cp', ['-L', join(root, 'usr/lib', triplet, 'libatomic.so.1'), folder]);
  cpSync(join(root, 'usr/share/doc/gcc-12-base/copyright'), join(folder, 'LICENSE.libatomic'));
  rmSync(root, { recursive: true });
}
