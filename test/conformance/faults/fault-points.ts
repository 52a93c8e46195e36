/**
 * Every point at which a PUT, a removal, an import and a move can be killed or fail: the calls of the stores, in the order of their
 * first use. A number means a later use of the same call. `faultSuite` records a run without faults and fails if a call is missing
 * here, so a new call cannot be forgotten. At each point the process is killed, or the call fails, before the call, and after it if
 * the call has an effect.
 * `docs/reliability.md` shows this list.
 */
export const FAULT_POINTS = {
  put: {
    'ledger.claim': 'the slot is claimed, with the key of the bytes',
    'ledger.hasBlockedHashes': 'is any file blocked, so that the hash is needed?',
    'blobs.put': 'the bytes are written and flushed; also killed in the middle',
    'ledger.commit': 'the upload is stored, which makes it readable',
  },
  'small put': {
    'ledger.findByPutKey': 'the slot is looked up',
    'blobs.put': 'the bytes are written and flushed, before any row names them; also killed in the middle',
    'ledger.hasBlockedHashes': 'is any file blocked, so that the hash is needed?',
    'ledger.storeSlot': 'the upload is stored, which makes it readable',
  },
  'signed put': {
    'ledger.findOwnerBySha1': 'the owner is looked up by the hash in the link',
    'blobs.put': 'the bytes are written and flushed, before any row names them; also killed in the middle',
    'ledger.hasBlockedHashes': 'is any file blocked, so that the hash is needed?',
    'ledger.storeNew': 'the upload is charged and stored, which makes it readable',
  },
  removal: {
    'ledger.remove': 'the row is removed, and the key becomes a pending delete',
    'ledger.pendingDeletes': 'the pending deletes are listed',
    'ledger.migrationState': 'is the ledger open?',
    'ledger.storeIdentity': 'does the ledger belong to the store?',
    'blobs.readIdentity': 'does the store belong to the ledger?',
    'ledger.beginDeletes': 'the attempt is recorded; the removal is durable',
    'blobs.remove': 'the bytes are deleted',
    'ledger.confirmDeleted': 'the pending delete is dropped',
  },
  import: {
    'ledger.addOldPath': 'the path of the old links is recorded',
    'ledger.find': 'is the file imported already?',
    'ledger.findRemoval': 'was it removed?',
    'ledger.announceImports': 'the key of the bytes is announced',
    'blobs.linkFile': 'disk: the file is linked',
    'blobs.put': 'object store: the file is copied; also killed in the middle',
    'ledger.importUploads': 'the upload is stored, and the announcement ends',
  },
  move: {
    'source.ledger.migrationState': 'is the source open?',
    'target.ledger.migrationState': 'is the target empty, or partly filled?',
    'target.ledger.countRows': 'is the target empty?',
    'target.ledger.setMigrationState': 'the target is being filled',
    'target.ledger.storeIdentity': 'the identity of the target',
    'target.blobs.readIdentity': 'the marker of the target',
    'target.ledger.listUploads': 'is it an installation of an earlier version?',
    'target.ledger.findExistingIds': 'which of the sampled uploads does the target have?',
    'target.ledger.setStoreIdentity': 'the target gets an identity',
    'target.blobs.writeIdentity': 'the target gets its marker',
    'source.ledger.purgeTrash': 'the files in the trash are deleted',
    'source.ledger.deleteQuarantined': 'the files in the quarantine are deleted',
    'source.ledger.stats': 'the number of uploads',
    'source.ledger.findRangeEnd': 'the next range of rows',
    'source.ledger.rangeDigest': 'the rows of the source are compared …',
    'target.ledger.rangeDigest': '… with those of the target',
    'source.ledger.readRowRange': 'rows are read',
    'target.ledger.readRowRange': 'rows of the target are read',
    'target.ledger.readRowsByKey': 'which rows does the target have?',
    'source.ledger.readRowsByKey': 'which rows does the source still have?',
    'source.blobs.open': 'a file is read',
    'target.blobs.put': 'a file is copied; also killed in the middle',
    'target.ledger.upsertRows': 'rows are written',
    'target.ledger.pendingDeletes': 'files that the source has removed meanwhile',
    'source.ledger.setMigrationState': 'the source accepts no new uploads',
    'source.ledger.listUploads': 'are uploads still running?',
    'source.ledger.unpublished': 'files that have no public name yet',
    'source.ledger.setMigrationState 2': 'the source is moved',
    'source.ledger.countRows': 'the rows of the source are counted …',
    'target.ledger.findRangeEnd': '… and those of the target',
    'target.ledger.findWrongCounters': 'are the counters of the target right?',
    'target.ledger.setMigrationState 2': 'the target is open: the move is finished',
  },
} as const satisfies Record<string, Readonly<Record<string, string>>>;

export type Operation = keyof typeof FAULT_POINTS;

/** Returns the list as Markdown, for `docs/reliability.md`. */
export function faultPointTable(): string {
  const rows = Object.entries(FAULT_POINTS).flatMap(([operation, calls]) =>
    Object.entries(calls).map(([call, meaning]) => `| ${operation} | \`${call}\` | ${meaning} |`),
  );
  return ['| operation | call | meaning |', '|---|---|---|', ...rows].join('\n');
}
