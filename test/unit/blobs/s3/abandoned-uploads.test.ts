import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, type TestContext, test } from 'node:test';
import { sendS3Error, startFakeS3 } from './fake-s3.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 0, 10);
const at = (days: number) => new Date(NOW - days * DAY).toISOString();

/** A write that is not finished: when it began, and when its parts came; in days before now. */
interface Unfinished {
  readonly begun: number;
  readonly parts: readonly number[];
}

type Refusing = (what: 'list' | 'parts' | 'abort', id: string) => readonly [number, string] | undefined;

/** A bucket with unfinished writes, listed two on a page. `refuse` answers in the place of the store. */
async function withUnfinished(t: TestContext, writes: Record<string, Unfinished>, refusing?: Refusing) {
  const left = new Map(Object.entries(writes));
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const query = new URL(request.url ?? '', 'http://s3').searchParams;
    const id = query.get('uploadId') ?? '';
    const what = query.has('uploads') ? 'list' : request.method === 'DELETE' ? 'abort' : 'parts';
    const refused = refusing?.(what, id);
    if (refused) sendS3Error(response, ...refused);
    else if (what === 'list') response.end(listing([...left], query.get('upload-id-marker') ?? ''));
    else if (!left.has(id)) sendS3Error(response, 404, 'NoSuchUpload');
    else if (what === 'parts') response.end(partsOf(left.get(id)?.parts ?? []));
    else response.writeHead(left.delete(id) ? 204 : 404).end();
  };
  const blobs = await (await startFakeS3(t, answer)).open();
  return { tidy: () => blobs.removeAbandonedWrites?.(NOW - DAY), left: () => [...left.keys()] };
}

function listing(writes: [string, Unfinished][], marker: string): string {
  const rest = writes.filter(([id]) => id > marker);
  const page = rest.slice(0, 2).map(([id, { begun }]) => {
    const name = `<Key>ab/${id}.bin</Key><UploadId>${id}</UploadId>`;
    return `<Upload>${name}<Initiated>${at(begun)}</Initiated></Upload>`;
  });
  const last = rest[1]?.[0] ?? '';
  const next = `<NextKeyMarker>ab/${last}.bin</NextKeyMarker><NextUploadIdMarker>${last}</NextUploadIdMarker>`;
  const more = `<IsTruncated>${rest.length > 2}</IsTruncated>${rest.length > 2 ? next : ''}`;
  return `<ListMultipartUploadsResult>${more}${page.join('')}</ListMultipartUploadsResult>`;
}

function partsOf(parts: readonly number[]): string {
  const all = parts.map((days) => `<Part><LastModified>${at(days)}</LastModified></Part>`);
  return `<ListPartsResult><IsTruncated>false</IsTruncated>${all.join('')}</ListPartsResult>`;
}

describe('abandoned multipart uploads', () => {
  const writes = {
    aa: { begun: 3, parts: [3, 2.5] },
    bb: { begun: 3, parts: [3, 0.1] },
    cc: { begun: 0.5, parts: [] },
    dd: { begun: 2, parts: [] },
    ee: { begun: 1.5, parts: [1.4] },
  };

  test('are removed after a day without a new part; growing ones stay, however old', async (t) => {
    const { tidy, left } = await withUnfinished(t, writes);
    assert.equal(await tidy(), 3);
    assert.deepEqual(left(), ['bb', 'cc']);
    assert.equal(await tidy(), 0);
  });

  test('that another process has ended are not an error', async (t) => {
    const gone: Refusing = (what, id) =>
      (what === 'parts' && id === 'aa') || (what === 'abort' && id === 'dd')
        ? [404, 'NoSuchUpload']
        : undefined;
    const { tidy, left } = await withUnfinished(t, writes, gone);
    await tidy();
    assert.ok(!left().includes('ee'), 'the others are tidied up');
  });

  test('stay with an error if the store refuses, and are removed by the next call', async (t) => {
    for (const failing of ['list', 'parts', 'abort'] as const) {
      let refuses = true;
      const { tidy, left } = await withUnfinished(t, writes, (what) =>
        refuses && what === failing ? [403, 'AccessDenied'] : undefined,
      );
      await assert.rejects(async () => tidy(), { name: 'BlobError' }, failing);
      assert.equal(left().length, 5, failing);
      refuses = false;
      assert.equal(await tidy(), 3, failing);
    }
  });
});
