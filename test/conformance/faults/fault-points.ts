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
    'ledger.hasBlockedHashes': 'whether any hash is blocked, because only then the file is hashed',
    'blobs.put': 'the bytes are written and flushed; also killed in the middle',
    'ledger.commit': 'the upload is stored, which makes it readable',
  },
  'small put': {
    'ledger.findByPutKey': 'the slot is looked up',
    'blobs.put': 'the bytes are written and flushed, before any row names them; also killed in the middle',
    'ledger.hasBlockedHashes': 'whether any hash is blocked, because only then the file is hashed',
    'ledger.storeSlot': 'the upload is stored, which makes it readable',
  },
  'signed put': {
    'ledger.findOwnerBySha1': 'the owner is looked up by the hash in the link',
    'blobs.put': 'the bytes are written and flushed, before any row names them; also killed in the middle',
    'ledger.hasBlockedHashes': 'whether any hash is blocked, because only then the file is hashed',
    'ledger.storeNew': 'the upload is charged and stored, which makes it readable',
  },
  removal: {
    'ledger.remove': 'the row is removed, and the key becomes a pending delete',
    'ledger.pendingDeletes': 'the pending deletes are listed',
    'ledger.migrationState': 'whether the ledger is open, because files may not be deleted during a move',
    'ledger.storeIdentity': 'the store id in the ledger is read',
    'blobs.readIdentity': 'the store id in the blob store is read, which must be the same',
    'ledger.beginDeletes': 'the attempt is recorded; the removal is durable',
    'blobs.remove': 'the bytes are deleted',
    'ledger.confirmDeleted': 'the pending delete is dropped',
  },
  import: {
    'ledger.addOldPath': 'the path of the old links is recorded',
    'ledger.find': 'whether the file was imported before',
    'ledger.findRemoval': 'whether the file was imported and then removed',
    'ledger.announceImports': 'the key of the bytes is announced',
    'blobs.linkFile': 'disk: the file is linked',
    'blobs.put': 'object store: the file is copied; also killed in the middle',
    'ledger.importUploads': 'the upload is stored, and the announcement ends',
  },
  move: {
    'source.ledger.migrationState': 'the migration state of the source is read',
    'target.ledger.migrationState': 'the migration state of the target is read',
    'target.ledger.countRows': 'whether the target has no rows',
    'target.ledger.setMigrationState': 'the target becomes `importing`',
    'target.ledger.storeIdentity': 'the store id in the ledger of the target is read',
    'target.blobs.readIdentity': 'the store id in the blob store of the target is read',
    'target.ledger.listUploads':
      'some uploads of the target are listed: without a store id, its ledger and blob store must have the same files',
    'target.ledger.findExistingIds':
      'the ids of some blobs of the target are looked up in its ledger, for the same reason',
    'target.ledger.setStoreIdentity': 'a new store id is written into the ledger of the target',
    'target.blobs.writeIdentity': 'the same store id is written into the blob store of the target',
    'source.ledger.purgeTrash': 'the files in the trash are deleted',
    'source.ledger.deleteQuarantined': 'the files in the quarantine are deleted',
    'source.ledger.stats': 'the uploads of the source are counted, for the progress display',
    'source.ledger.findRangeEnd': 'the end of the next range of rows is found',
    'source.ledger.rangeDigest': 'the digest of a range of rows in the source is computed',
    'target.ledger.rangeDigest':
      'the digest of the same range in the target is computed. Ranges with equal digests are skipped',
    'source.ledger.readRowRange': 'the rows of a range of the source are read',
    'target.ledger.readRowRange': 'the rows of the same range of the target are read',
    'target.ledger.readRowsByKey':
      'the rows of the source are looked up in the target, to find changed and missing rows',
    'source.ledger.readRowsByKey': 'the rows of the target are looked up in the source, to find deleted rows',
    'source.blobs.open': 'a file of the source is read',
    'target.blobs.put': 'the file is written to the target; also killed in the middle',
    'target.ledger.upsertRows': 'changed and missing rows are written to the target',
    'target.ledger.pendingDeletes': 'the files that the source has removed meanwhile are listed',
    'source.ledger.setMigrationState': 'the source becomes `closing`: it accepts no new uploads',
    'source.ledger.listUploads': 'whether uploads to the source are still running',
    'source.ledger.unpublished': 'the files of the source without a public name are listed',
    'source.ledger.setMigrationState 2': 'the source becomes `moved`',
    'source.ledger.countRows': 'the rows of the source are counted, and must be as many as in the target',
    'target.ledger.findRangeEnd': 'the end of the next range of owners is found',
    'target.ledger.findWrongCounters':
      'the counters of these owners in the target are compared with their uploads',
    'target.ledger.setMigrationState 2': 'the target becomes `open`: the move is finished',
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
