import type { Ledger } from '../contract/ledger.ts';
import {
  countRows,
  deleteRows,
  findRangeEnd,
  findWrongCounters,
  rangeDigest,
  readRowRange,
  readRowsByKey,
  upsertRows,
} from '../copy/copy-rows.ts';
import { claimSlot, commitUpload, releaseSlotClaim } from './claims.ts';
import type { Database } from './database.ts';
import { forgetOwnerRows } from './forget.ts';
import { insertImportedUploads, insertOldPath, queryOldPaths } from './import.ts';
import { deleteInstances, queryInstances, recordHeartbeat } from './instances.ts';
import { beginRequest, dropRequest, finishRequest } from './messages/idempotency.ts';
import { chargeMessageRate } from './messages/message-rates.ts';
import {
  enqueueItem,
  hasQueuedItem,
  postponeItem,
  queryNextDueAt,
  queryQueueLength,
  removeQueuedItem,
  takeDueItems,
} from './messages/queue.ts';
import { readMigrationState, writeMigrationState } from './migration-state.ts';
import {
  clearPendingDeletes,
  queryExistingIds,
  queryOwnerBySha1,
  queryOwners,
  queryPendingDeletes,
  queryRemoval,
  queryRemovals,
  queryStats,
  queryUpload,
  queryUploadByPutKey,
  queryUploads,
  queryUsage,
} from './queries.ts';
import { removeUploadsById } from './remove.ts';
import { correctUploadSize, recountOwner } from './repair.ts';
import { reserveSlot } from './reserve.ts';
import { runSweepStep } from './sweep.ts';

export interface LedgerOptions {
  /** Makes ids of new owners, 1 to 2^31 - 1; one that is taken is passed over. */
  readonly newOwnerId?: () => number;
}

/** The one ledger, over whatever engine runs its SQL. Methods are documented at `Ledger`. */
export function createLedger(db: Database, options: LedgerOptions = {}): Ledger {
  return {
    reserve: (reservation) => db.transaction((q) => reserveSlot(q, reservation, options.newOwnerId), 'lazy'),
    claim: (order) => db.transaction((q) => claimSlot(q, order), 'lazy'),
    commit: (order) => db.transaction((q) => commitUpload(q, order), 'durable', 'open_or_closing'),
    release: (order) => db.transaction((q) => releaseSlotClaim(q, order), 'lazy', 'open_or_closing'),

    find: (locator) => queryUpload(db, locator),
    findByPutKey: (putKey) => queryUploadByPutKey(db, putKey),
    findRemoval: (locator) => queryRemoval(db, locator),

    remove: (order) => db.transaction((q) => removeUploadsById(q, order)),
    forget: (order) => db.transaction((q) => forgetOwnerRows(q, order)),
    sweep: (step) => runSweepStep(db, step),
    pendingDeletes: (limit) => queryPendingDeletes(db, limit),
    confirmDeleted: (blobs) => db.transaction((q) => clearPendingDeletes(q, blobs), 'durable', 'always'),
    importUploads: (order) => db.transaction((q) => insertImportedUploads(q, order, options.newOwnerId)),
    addOldPath: (oldPath) => db.transaction((q) => insertOldPath(q, oldPath)),
    listOldPaths: () => queryOldPaths(db),
    heartbeat: (instance) => db.transaction((q) => recordHeartbeat(q, instance), 'lazy', 'always'),
    listInstances: (host) => queryInstances(db, host),
    removeInstances: (ids) => db.transaction((q) => deleteInstances(q, ids), 'lazy', 'always'),

    usage: (owner) => queryUsage(db, owner),
    findOwnerBySha1: (sha1) => queryOwnerBySha1(db, sha1),
    listUploads: (query) => queryUploads(db, query),
    listRemovals: (query) => queryRemovals(db, query),
    listOwners: (query) => queryOwners(db, query),
    stats: () => queryStats(db),

    findExistingIds: (ids) => queryExistingIds(db, ids),
    correctSize: (order) => db.transaction((q) => correctUploadSize(q, order)),
    recount: (order) =>
      db.transaction((q) => recountOwner(q, order), 'durable', order.repair ? 'open' : 'always'),

    enqueue: (order) => db.transaction((q) => enqueueItem(q, order)),
    takeDue: (order) => takeDueItems(db, order),
    removeQueued: (place) => db.transaction((q) => removeQueuedItem(q, place), 'lazy', 'open_or_closing'),
    postpone: (order) => db.transaction((q) => postponeItem(q, order), 'lazy'),
    queueLength: (queue) => queryQueueLength(db, queue),
    hasQueued: (lane) => hasQueuedItem(db, lane),
    nextDueAt: (queue) => queryNextDueAt(db, queue),
    beginRequest: (order) => db.transaction((q) => beginRequest(q, order), 'lazy'),
    finishRequest: (order) => db.transaction((q) => finishRequest(q, order), 'durable', 'open_or_closing'),
    dropRequest: (order) => db.transaction((q) => dropRequest(q, order), 'lazy'),
    chargeMessageRate: (order) => db.transaction((q) => chargeMessageRate(q, order), 'lazy'),

    migrationState: () => readMigrationState(db),
    setMigrationState: (to) => db.exclusive((q) => writeMigrationState(q, to)),
    findRangeEnd: (order) => findRangeEnd(db, order),
    rangeDigest: (range) => rangeDigest(db, range),
    readRowRange: (range) => readRowRange(db, range),
    readRowsByKey: (order) => readRowsByKey(db, order),
    upsertRows: (order) => db.transaction((q) => upsertRows(q, order), 'durable', 'importing'),
    deleteRows: (order) => db.transaction((q) => deleteRows(q, order), 'durable', 'importing'),
    countRows: (order) => countRows(db, order),
    findWrongCounters: (range) => findWrongCounters(db, range),

    close: () => db.close(),
  };
}
