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

/** Stores `count` files and gives their paths. */
export async function storeFiles(server: FileServer, count: number, size = SMALL): Promise<string[]> {
  const slots = await server.slots(count, size);
  const body = randomBytes(size);
  const waiting = [...slots];
  const storer = async () => {
    for (let slot = waiting.pop(); slot; slot = waiting.pop()) {
      const { status, text } = await httpRequest(server.url + slot.putPath, {
        method: 'PUT',
        headers: slot.headers,
        body,
      });
      if (status !== (server.putStatus ?? 201))
        throw new Error(`${server.name} answered a PUT with ${status} ${text}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, storer));
  return slots.map(({ getPath }) => getPath);
}

const made = new Map<string, Promise<string>>();

/** A file of `size` random bytes, made once. */
export function bodyFile({ folders }: BenchEnvironment, size: number): Promise<string> {
  const path = join(folders.folder, `body-${size}`);
  const known = made.get(path) ?? fillFile(path, size);
  made.set(path, known);
  return known;
}

const BLOCK = 1_000_000;

async function fillFile(path: string, size: number): Promise<string> {
  const file = await open(path, 'w');
  for (let left = size; left > 0; left -= BLOCK) await file.write(randomBytes(Math.min(BLOCK, left)));
  await file.close();
  return path;
}
