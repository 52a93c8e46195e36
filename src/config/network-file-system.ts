import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Config } from './load.ts';

/** Types in `statfs(2)` of file systems whose files several machines may open. */
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0x5346414f, 'AFS'],
  [0x00c36400, 'CephFS'],
  [0x01021997, '9P'],
  [0x0bd00bd0, 'Lustre'],
  [0x65735546, 'FUSE'],
]);

/** Returns the name of the network file system that holds a path or its nearest existing parent. Undefined if it is local. */
export function findNetworkFileSystem(path: string, readType = readFileSystemType): string | undefined {
  for (let at = path; ; at = dirname(at)) {
    const type = readType(at);
    // Some platforms return the type as a signed number.
    if (type !== undefined) return NETWORK_FILE_SYSTEMS.get(type >>> 0);
    if (dirname(at) === at) return undefined;
  }
}

function readFileSystemType(path: string): number | undefined {
  try {
    return statfsSync(path).type;
  } catch {
    return undefined;
  }
}

/**
 * Returns a warning if the SQLite file is on a network file system. There, locks and shared memory of SQLite do not work between
 * machines, so two machines can damage the database.
 */
export function networkLedgerWarnings(
  { storage: { ledger } }: Pick<Config, 'storage'>,
  readType = readFileSystemType,
): string[] {
  if (ledger.kind !== 'sqlite') return [];
  const name = findNetworkFileSystem(ledger.path, readType);
  if (name === undefined) return [];
  return [
    `storage.ledger: ${ledger.path} is on a network file system (${name}), where SQLite can lose data. ` +
      'Move it to a local disk, or use PostgreSQL for several machines.',
  ];
}
