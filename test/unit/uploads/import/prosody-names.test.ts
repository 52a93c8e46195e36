import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createOwnerLookup } from '../../../../src/uploads/import/owner-lookup.ts';
import { decodeStoreName, encodeStoreName, prosody } from '../../../../src/uploads/import/prosody.ts';

test('names in Prosody\u2019s storage are encoded as by its util.datamanager', () => {
  for (const [name, encoded] of [
    ['abcXYZ019', 'abcXYZ019'],
    ['0191-ab_c.d', '0191%2dab%5fc%2ed'],
    ['ä%/', '%c3%a4%25%2f'],
  ] as const) {
    assert.equal(encodeStoreName(name), encoded);
    assert.equal(decodeStoreName(encoded), name);
  }
});

test('a file of Prosody is found under the encoded name of its slot, and keeps its own name', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'porter-prosody-names-'));
  t.after(() => rm(folder, { recursive: true }));
  const host = join(folder, 'upload%2eexample%2eorg');
  await mkdir(join(host, 'http_file_share'), { recursive: true });
  await writeFile(join(host, 'http_file_share', '0191%2dabc.bin'), 'hello');
  const attributes = 'filename = "Größe 1.txt"; size = "5"; ["content-type"] = "text/plain";';
  await writeFile(
    join(host, 'uploads.list'),
    `item({ key = "0191-abc"; with = "romeo@example.org"; when = 1700000000; attr = { ${attributes} }; });\n`,
  );
  const found = await Array.fromAsync(prosody.files({ folder, owners: await createOwnerLookup([]) }));
  assert.deepEqual(
    found.map((file) =>
      'problem' in file ? file.problem : [file.linkPath, file.name, file.owner, file.size],
    ),
    [['0191-abc/Größe 1.txt', 'Größe 1.txt', 'romeo@example.org', 5]],
  );
});
