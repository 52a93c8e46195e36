import assert from 'node:assert/strict';
import { httpRequest } from '../../support/http.ts';
import type { PorterProcess } from '../support/porter-process.ts';
import type { OldFile } from './old-services.ts';

/** The output of `porter import --json`. */
export interface ImportReport {
  readonly files: number;
  readonly imported: number;
  readonly linked: number;
  readonly already: number;
  readonly removed: number;
  readonly expired: number;
  readonly problems: number;
  readonly list: readonly { readonly file: string; readonly problem: string }[];
}

/** One upload in the output of `porter uploads --json`. */
export interface UploadRow {
  readonly id: string;
  readonly owner: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly endpoint: string;
  readonly stored: string;
  readonly expires: string | null;
  readonly link: string | null;
}

/** Runs a command with `--json` next to a running Porter; fails unless it exits with 0. */
export async function runJsonCommand<T>(porter: PorterProcess, ...args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await porter.runCommand(...args, '--json');
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as T;
}

/** Checks that every file is served by its old link. The server may cache a missing file for a second. */
export async function assertFilesServed(porter: PorterProcess, files: readonly OldFile[]): Promise<void> {
  const [first] = files;
  await porter.program.waitFor('the first link', async () => {
    const { status } = await httpRequest(`${porter.url}${first?.link}`);
    return status === 200;
  });
  for (const { link, bytes, type, storedAt } of files) {
    const answer = await httpRequest(`${porter.url}${link}`);
    assert.equal(answer.status, 200, link);
    assert.equal(answer.text, bytes, link);
    assert.equal(answer.headers['content-type'], type, link);
    assert.equal(answer.headers['last-modified'], new Date(storedAt).toUTCString(), link);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
  }
}
