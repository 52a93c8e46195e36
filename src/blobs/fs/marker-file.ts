import { join } from 'node:path';
import { randomId } from '../../base/ids.ts';
import { BlobError, formatMarker, MARKER_NAME, parseMarker } from '../contract.ts';
import type { DiskSync } from './disk-sync.ts';
import {
  appendAll,
  close,
  createFile,
  fstat,
  isBlobError,
  link,
  openRegularFile,
  readFully,
  rename,
  unlink,
} from './syscalls.ts';

/** The marker in the root of a blob folder. */
export interface MarkerFile {
  readonly read: () => Promise<string | undefined>;
  readonly write: (id: string, replace: boolean) => Promise<void>;
  /**
   * Rejects if a marker that was seen before is missing now: the volume is no longer mounted, and new blobs would be hidden
   * when it is mounted again.
   */
  readonly assertPresent: () => Promise<void>;
}

/** Returns the access to the marker below `root`. Reads nothing yet. */
export function openMarkerFile(root: string, diskSync: DiskSync | null): MarkerFile {
  const path = join(root, MARKER_NAME);
  let wasSeen = false;
  const read = async () => {
    const id = await readMarker(path);
    wasSeen ||= id !== undefined;
    return id;
  };
  return {
    read,
    async write(id, replace) {
      await writeMarker(path, id, { replace, diskSync });
      await diskSync?.syncFolder(root);
      wasSeen = true;
    },
    async assertPresent() {
      if (!wasSeen || (await read()) !== undefined) return;
      throw new BlobError(
        'failed',
        'The blob store failed: its marker is missing. Check that its volume is mounted.',
      );
    },
  };
}

async function readMarker(path: string): Promise<string | undefined> {
  const fd = await openRegularFile(path).catch((error) => {
    if (isBlobError(error, 'missing')) return undefined;
    throw error;
  });
  if (fd === undefined) return undefined;
  try {
    const bytes = Buffer.alloc(Math.min((await fstat(fd)).size, 256));
    await readFully(fd, bytes, 0);
    return parseMarker(bytes.toString());
  } finally {
    await close(fd);
  }
}

/** Writes the whole marker under another name first, so that a crash never leaves a part of it. */
async function writeMarker(
  path: string,
  id: string,
  { replace, diskSync }: { readonly replace: boolean; readonly diskSync: DiskSync | null },
): Promise<void> {
  const temporary = `${path}.${randomId()}`;
  const fd = await createFile(temporary);
  try {
    await appendAll(fd, [Buffer.from(formatMarker(id))]);
    await diskSync?.syncFile(fd);
  } finally {
    await close(fd);
  }
  try {
    if (replace) await rename(temporary, path);
    else await linkUnlessPresent(temporary, path);
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}

/** A link never replaces a marker that another process has written meanwhile. Some file systems have no links. */
async function linkUnlessPresent(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path);
  } catch (error) {
    if (isBlobError(error, 'exists')) return;
    await rename(temporary, path);
  }
}
