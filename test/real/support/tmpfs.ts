import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './program.ts';

/** A mounted tmpfs. Only root can mount one. */
export interface TmpfsMount {
  readonly path: string;
  makeReadOnly(): Promise<void>;
  makeWritable(): Promise<void>;
  remove(): Promise<void>;
}

/** Creates the folder `path` and mounts a tmpfs there. */
export async function mountTmpfs(path: string, megabytes: number): Promise<TmpfsMount> {
  mkdirSync(path, { recursive: true });
  const size = `size=${megabytes}m`;
  await mount('-t', 'tmpfs', '-o', size, 'tmpfs', path);
  return {
    path,
    makeReadOnly: () => mount('-o', `remount,ro,${size}`, path),
    makeWritable: () => mount('-o', `remount,rw,${size}`, path),
    async remove() {
      await runProgram('umount', ['-l', path]);
    },
  };
}

async function mount(...args: readonly string[]): Promise<void> {
  const { code, stderr } = await runProgram('mount', args);
  if (code !== 0) throw new Error(`mount ${args.join(' ')}: ${stderr}`);
}

/** For the `skip` option: returns false if this process may mount, otherwise the reason. */
export function needsMount(): string | false {
  const folder = mkdtempSync(join(tmpdir(), 'porter-mount-'));
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]);
  if (status === 0) spawnSync('umount', [folder]);
  rmdirSync(folder);
  return status === 0 ? false : 'needs the right to mount';
}
