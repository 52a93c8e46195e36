import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networkLedgerWarnings } from '../../../src/config/network-file-system.ts';

const NFS = 0x6969;
const CIFS = 0xff534d42;
const EXT4 = 0xef53;

function warningsFor(types: Readonly<Record<string, number>>): string[] {
  const ledger = { kind: 'sqlite', path: '/srv/porter/data/porter.db' } as const;
  const storage = { ledger } as Parameters<typeof networkLedgerWarnings>[0]['storage'];
  return networkLedgerWarnings({ storage }, (path) => types[path]);
}

test('an SQLite file on a network file system is noticed, also before it exists', () => {
  assert.match(warningsFor({ '/srv/porter/data/porter.db': NFS })[0] ?? '', /network file system \(NFS\)/);
  assert.match(warningsFor({ '/srv': CIFS, '/': EXT4 })[0] ?? '', /CIFS/);
  assert.match(warningsFor({ '/srv': CIFS | 0 })[0] ?? '', /CIFS/);
  assert.deepEqual(warningsFor({ '/srv/porter': EXT4, '/srv': NFS }), []);
  assert.deepEqual(warningsFor({}), []);
});
