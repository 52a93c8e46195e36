import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { checkBinaries, findBinaries } from './binaries.ts';
import { type Architecture, architectures } from './node-runtime.ts';
import { run } from './run.ts';

interface Manifest {
  readonly layers: readonly { readonly digest: string }[];
  readonly manifests: readonly {
    readonly digest: string;
    readonly platform?: { readonly architecture: string };
  }[];
}

/** An unpacked package of a release. */
export interface Unpacked {
  readonly name: string;
  /** Undefined for a package for all architectures. */
  readonly architecture: Architecture | undefined;
  readonly folder: string;
}

/** Returns the names of the files of a release in a folder, sorted. */
export function listPackages(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(deb|tar\.gz|tgz|tar|cdx\.json)$/.test(entry.name))
    .map((entry) => entry.name)
    .toSorted();
}

/** Unpacks all packages in a folder, and the image once for each architecture. Replaces `work`. */
export function unpackRelease(release: string, work: string): Unpacked[] {
  rmSync(work, { recursive: true, force: true });
  return listPackages(release).flatMap((name) => {
    const file = join(release, name);
    const folder = join(work, name);
    if (name.endsWith('-oci.tar')) return unpackImage(file, folder);
    if (!/\.(deb|tar\.gz|tgz)$/.test(name)) return [];
    mkdirSync(folder, { recursive: true });
    if (name.endsWith('.deb')) run('dpkg-deb', ['--extract', file, folder]);
    else run('tar', ['-xzf', file, '-C', folder]);
    return [{ name, architecture: architectureOf(name), folder }];
  });
}

/**
 * Checks the ELF header of every binary in all packages of a folder. Returns one line per package. Throws if a package has a binary for
 * another architecture or no Node.js, or if a package for all architectures has a binary.
 */
export function checkReleaseBinaries(release: string, work: string): string[] {
  const packages = unpackRelease(release, work);
  const lines = packages.map(({ name, architecture, folder }) => {
    if (architecture === undefined) {
      const [binary] = findBinaries(folder);
      if (binary !== undefined)
        throw new Error(`${name} is for all architectures, but contains ${binary.file}`);
      return `${name}: no binaries`;
    }
    const found = checkBinaries(folder, architecture);
    if (!found.some(({ file }) => file.endsWith('/porter/bin/node')))
      throw new Error(`${name} contains no Node.js`);
    return `${name}: ${found.length} binaries for ${architecture}`;
  });
  rmSync(work, { recursive: true, force: true });
  return lines;
}

function architectureOf(name: string): Architecture | undefined {
  return (Object.keys(architectures) as Architecture[]).find(
    (architecture) =>
      name.endsWith(`_${architecture}.deb`) || name.endsWith(`-${architectures[architecture]}.tar.gz`),
  );
}

/** Unpacks the layers of each architecture of an OCI archive into one folder each. */
export function unpackImage(archive: string, work: string): Unpacked[] {
  const layout = join(work, 'layout');
  mkdirSync(layout, { recursive: true });
  run('tar', ['-xf', archive, '-C', layout]);
  const blob = (digest: string) => join(layout, 'blobs/sha256', digest.replace('sha256:', ''));
  const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  const index = read(blob(read(join(layout, 'index.json')).manifests[0]?.digest ?? ''));
  const unpacked = index.manifests.map(({ digest, platform }) => {
    const architecture = platform?.architecture as Architecture;
    const folder = join(work, architecture);
    mkdirSync(folder);
    for (const layer of read(blob(digest)).layers) run('tar', ['-xzf', blob(layer.digest), '-C', folder]);
    return { name: `image for ${architecture}`, architecture, folder };
  });
  rmSync(layout, { recursive: true });
  return unpacked;
}
