import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { httpRequest } from '../../test/support/http.ts';
import type { BenchEnvironment } from '../environment.ts';
import type { FileServer } from '../servers/file-server.ts';

export const SMALL = 10_240;
export const LARGE = 200_000_000;
export const CONNECTIONS = 64;

const AT_ONCE = 16;

/** Stores `count` files and returns their paths. */
export async function storeFiles(server: FileServer, count: number, size = SMALL): Promise<string[]> {
  const slots = await server.slots(count, size);
  const body = randomBytes(size);
  const pending = [...slots];
  const worker = async () => {
    for (let slot = pending.pop(); slot; slot = pending.pop()) {
      const { status, text } = await httpRequest(server.url + slot.putPath, {
        method: 'PUT',
        headers: slot.headers,
        body,
        ...(server.ca !== undefined && { ca: server.ca }),
      });
      if (status !== (server.putStatus ?? 201))
        throw new Error(`${server.name} answered a PUT with ${status} ${text}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return slots.map(({ getPath }) => getPath);
}

const createdFiles = new Map<string, Promise<string>>();

/** Creates a file of `size` random bytes once, and returns its path. */
export function bodyFile({ folders }: BenchEnvironment, size: number): Promise<string> {
  const path = join(folders.folder, `body-${size}`);
  const file = createdFiles.get(path) ?? fillFile(path, size);
  createdFiles.set(path, file);
  return file;
}

const BLOCK = 1_000_000;

async function fillFile(path: string, size: number): Promise<string> {
  const file = await open(path, 'w');
  for (let left = size; left > 0; left -= BLOCK) await file.write(randomBytes(Math.min(BLOCK, left)));
  await file.close();
  return path;
}
