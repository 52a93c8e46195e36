import type { Words } from '../words/en.ts';
import type { Answer } from './api.ts';
import type { Formats } from './format.ts';

type OwnFile = Answer<'GET /files/{id}'>;

/** A file of a list. `owner` only in lists of all users. */
export type ShownFile = OwnFile & { readonly owner?: string; readonly endpoint?: string };

/** Files that one request of the API may name, at most. */
const IDS_PER_REQUEST = 1000;

/** Calls `run` for groups of ids that one request may name, one group after the other. Returns the results. */
export async function inGroups<T>(
  ids: readonly string[],
  run: (group: string[]) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  for (let start = 0; start < ids.length; start += IDS_PER_REQUEST) {
    results.push(await run(ids.slice(start, start + IDS_PER_REQUEST)));
  }
  return results;
}

/** `3 files` in the language of the page. */
export function fileCountText(words: Words, formats: Formats, count: number): string {
  return words.fileCount(formats.number(count), count === 1);
}

export function sumOf(files: readonly { readonly size: number }[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}
