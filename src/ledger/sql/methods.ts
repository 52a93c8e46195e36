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
import * as claims from './claims/claims.ts';
import * as resumable from './claims/resumable-uploads.ts';
import * as hashes from './content/blocked-hashes.ts';
import * as quarantine from './content/quarantine.ts';
import type { Database } from './database.ts';
import { queryFiles } from './files/file-lists.ts';
import {
  clearPendingDeletes,
  countDeleteAttempts,
  postponePendingDeletes,
  queryFailedDeletes,
  queryPendingDeletes,
} from './files/pending-deletes.ts';
import { purgeTrashedUploads, queryTrash, restoreTrashedUploads, updateExpiry } from './files/trash.ts';
import { queryUsers } from './files/user-lists.ts';
import { forgetOwnerRows } from './forget.ts';
import {
  announceImports,
  insertImportedUploads,
  insertOldPath,
  queryImportingBlobs,
  queryOldPaths,
} from './import.ts';
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
import { custom, type MethodDefinition, type NewOwnerId, read, write } from './method-definition.ts';
import {
  readMigrationState,
  readStoreIdentity,
  writeMigrationState,
  writeStoreIdentity,
} from './migration-state.ts';
import { deleteDeadWriters, queryDeadWriters } from './processes/dead-writers.ts';
import {
  deleteInstance,
  deleteInstances,
  queryInstances,
  readClock,
  recordHeartbeat,
  writeTestRow,
} from './processes/heartbeats.ts';
import {
  queryExistingIds,
  queryKnownBlobs,
  queryOwnerBySha1,
  queryOwners,
  queryRemoval,
  queryRemovals,
  queryStats,
  queryUpload,
  queryUploadByPutKey,
  queryUploads,
  queryUsage,
} from './queries.ts';
import { queryLimitUsage } from './quota/limit-usage.ts';
import { insertUsageSample, queryUsageHistory, recountTotals } from './quota/totals.ts';
import { queryAllRefusals, queryRefusals, recordRefusals } from './refusals.ts';
import { removeUploadsById } from './remove.ts';
import { recountOwner } from './repair.ts';
import { reserveSlot, storeNewUpload } from './reserve.ts';
import { runSweepStep } from './sweep.ts';
import {
  addDailyCounts,
  insertSweepRun,
  queryDailyCounts,
  queryHookCalls,
  querySweepRuns,
  upsertHookCalls,
} from './web/activity.ts';
import {
  chargeGuestLinkRow,
  deleteGuestLink,
  insertAudit,
  insertGuestLink,
  queryAudit,
  queryGuestLink,
  queryGuestLinks,
} from './web/guest-links.ts';
import {
  deleteSessions,
  deleteToken,
  insertSession,
  insertToken,
  querySession,
  querySessions,
  queryToken,
  queryTokens,
  takeSignInLink,
  updateSession,
  updateTokenUse,
  upsertSignInLink,
} from './web/sessions.ts';

export type LedgerMethod = Exclude<keyof Ledger, 'close'>;

type LedgerMethods = {
  readonly [M in LedgerMethod]: MethodDefinition<Parameters<Ledger[M]>[0], Awaited<ReturnType<Ledger[M]>>>;
};

/**
 * Every method of the ledger: whether it reads or writes, its durability, the migration states that allow it, and its
 * implementation. `createLedger` and the proxy of the SQLite threads are made from this table. To add a method, declare it
 * in an interface of `contract/`, and add a line here.
 */
export const methods: LedgerMethods = {
  // UploadStore
  reserve: write('lazy', 'open', reserveSlot),
  storeNew: write('durable', 'open', storeNewUpload),
  claim: write('lazy', 'open', claims.claimSlot),
  storeSlot: write('durable', 'open', claims.storeIssuedSlot),
  commit: write('durable', 'open_or_closing', claims.commitUpload),
  release: write('lazy', 'open_or_closing', claims.releaseSlotClaim),
  releaseByToken: write('lazy', 'open_or_closing', claims.endClaimByToken),
  unpublished: read(claims.queryUnpublished),
  confirmPublished: write('lazy', 'always', claims.markPublished),
  find: read(queryUpload),
  findByPutKey: read(queryUploadByPutKey),
  findRemoval: read(queryRemoval),
  remove: write('durable', 'open', removeUploadsById, { freesSpace: true }),
  sweep: custom(runSweepStep),
  pendingDeletes: read(queryPendingDeletes),
  beginDeletes: write('durable', 'always', countDeleteAttempts, { freesSpace: true }),
  // If a power cut undoes it, the blob is deleted once more, which is harmless.
  confirmDeleted: write('lazy', 'always', clearPendingDeletes, { freesSpace: true }),
  postponeDeletes: write('lazy', 'always', postponePendingDeletes),
  failedDeletes: read(queryFailedDeletes),

  // ResumableUploadStore
  beginResumable: write('lazy', 'open_or_closing', resumable.makeResumable),
  resume: write('lazy', 'open', resumable.claimResource),
  // Durable, because a client may drop its copy of the bytes that were reported as received.
  recordReceived: write('durable', 'open_or_closing', resumable.updateReceived),
  pause: write('durable', 'open_or_closing', resumable.pauseUpload),
  appendState: read(resumable.queryAppendState),
  requestStop: write('lazy', 'open_or_closing', resumable.markStopRequested),
  findResource: read(resumable.queryResource),

  // QuotaStore
  usage: read(queryUsage),
  stats: read(queryStats),
  limitUsage: read(queryLimitUsage),
  listOwners: read(queryOwners),
  recount: write('durable', ({ repair }) => (repair ? 'open' : 'always'), recountOwner),
  recountTotals: write('durable', ({ repair }) => (repair ? 'open' : 'always'), recountTotals),

  // RefusalStore
  recordRefusals: write('lazy', 'open_or_closing', recordRefusals),
  listRefusals: read(queryRefusals),
  listAllRefusals: read(queryAllRefusals),

  // MessageStore
  enqueue: write('durable', 'open', enqueueItem),
  takeDue: custom(takeDueItems),
  removeQueued: write('lazy', 'open_or_closing', removeQueuedItem),
  postpone: write('lazy', 'open', postponeItem),
  queueLength: read(queryQueueLength),
  hasQueued: read(hasQueuedItem),
  nextDueAt: read(queryNextDueAt),
  beginRequest: write('lazy', 'open', beginRequest),
  finishRequest: write('durable', 'open_or_closing', finishRequest),
  dropRequest: write('lazy', 'open', dropRequest),
  chargeMessageRate: write('lazy', 'open', chargeMessageRate),

  // ProcessStore
  heartbeat: write('lazy', 'always', recordHeartbeat),
  listInstances: read(queryInstances),
  readClock: read(readClock),
  removeInstances: write('lazy', 'always', deleteInstances),
  endInstance: write('lazy', 'always', deleteInstance),
  listDeadWriters: read(queryDeadWriters),
  dropDeadWriters: write('lazy', 'always', deleteDeadWriters),
  checkWritable: write('durable', 'always', writeTestRow, { reconnectTimeoutMs: 1000 }),

  // AdminStore
  listUploads: read(queryUploads),
  listRemovals: read(queryRemovals),
  findOwnerBySha1: read(queryOwnerBySha1),
  announceImports: write('durable', 'open', announceImports),
  forget: write('durable', 'open', forgetOwnerRows, { freesSpace: true }),
  importUploads: write('durable', 'open', insertImportedUploads),
  addOldPath: write('durable', 'open', insertOldPath),
  listOldPaths: read(queryOldPaths),
  findExistingIds: read(queryExistingIds),
  findKnownBlobs: read(queryKnownBlobs),
  findImportingBlobs: read(queryImportingBlobs),

  // FileStore
  listFiles: read(queryFiles),
  listUsers: read(queryUsers),
  setExpiry: write('durable', 'open', updateExpiry),
  recordUsage: write('lazy', 'open', insertUsageSample),
  listUsageHistory: read(queryUsageHistory),
  listTrash: read(queryTrash),
  restoreFromTrash: write('durable', 'open', restoreTrashedUploads),
  purgeTrash: write('durable', 'open', purgeTrashedUploads, { freesSpace: true }),

  // ContentStore
  quarantine: write('durable', 'open_or_closing', quarantine.quarantineUpload),
  findQuarantined: read(quarantine.queryQuarantined),
  listQuarantine: read(quarantine.queryQuarantine),
  releaseQuarantined: write('durable', 'open', quarantine.releaseQuarantinedUpload),
  deleteQuarantined: write('durable', 'open', quarantine.deleteQuarantineRows, { freesSpace: true }),
  blockHash: write('durable', 'open', hashes.insertBlockedHash),
  unblockHash: write('durable', 'open', hashes.deleteBlockedHash),
  findBlockedHash: read(hashes.queryBlockedHash),
  listBlockedHashes: read(hashes.queryBlockedHashes),
  hasBlockedHashes: read(hashes.queryAnyBlockedHash),
  recordHash: write('lazy', 'open', hashes.updateHash),
  listByHash: read(hashes.queryByHash),

  // WebStore
  createSession: write('durable', 'open', insertSession),
  findSession: read(querySession),
  extendSession: write('lazy', 'open_or_closing', updateSession),
  listSessions: read(querySessions),
  // Durable, because a power cut must not bring back a session that its user has ended.
  endSessions: write('durable', 'open_or_closing', deleteSessions),
  createToken: write('durable', 'open', insertToken),
  findToken: read(queryToken),
  recordTokenUse: write('lazy', 'open_or_closing', updateTokenUse),
  listTokens: read(queryTokens),
  revokeToken: write('durable', 'open_or_closing', deleteToken),
  createSignInLink: write('lazy', 'open', upsertSignInLink),
  useSignInLink: write('durable', 'open', takeSignInLink),
  createGuestLink: write('durable', 'open', insertGuestLink),
  findGuestLink: read(queryGuestLink),
  chargeGuestLink: write('lazy', 'open', chargeGuestLinkRow),
  listGuestLinks: read(queryGuestLinks),
  revokeGuestLink: write('durable', 'open', deleteGuestLink),
  recordAudit: write('durable', 'open', insertAudit),
  listAudit: read(queryAudit),

  // ActivityStore
  addDailyCounts: write('lazy', 'open', addDailyCounts),
  listDailyCounts: read(queryDailyCounts),
  recordSweep: write('lazy', 'open', insertSweepRun),
  listSweeps: read(querySweepRuns),
  recordHookCalls: write('lazy', 'open', upsertHookCalls),
  listHookCalls: read(queryHookCalls),

  // IdentityStore
  storeIdentity: read(readStoreIdentity),
  setStoreIdentity: write('durable', 'always', writeStoreIdentity),

  // CopyStore
  migrationState: read(readMigrationState),
  setMigrationState: custom((db, state) => db.exclusive((q) => writeMigrationState(q, state))),
  findRangeEnd: read(findRangeEnd),
  rangeDigest: read(rangeDigest),
  readRowRange: read(readRowRange),
  readRowsByKey: read(readRowsByKey),
  upsertRows: write('durable', 'importing', upsertRows),
  deleteRows: write('durable', 'importing', deleteRows),
  countRows: read(countRows),
  findWrongCounters: read(findWrongCounters),
};

/** Creates a ledger whose methods all go through `call`. */
export function createLedgerFrom(
  call: (method: LedgerMethod, argument: unknown) => Promise<unknown>,
  close: () => Promise<void>,
): Ledger {
  const names = Object.keys(methods) as LedgerMethod[];
  const entries = names.map((name) => [name, (argument?: unknown) => call(name, argument)]);
  // The keys of `methods` are the methods of a ledger, and `call` runs the method of this name.
  return { ...Object.fromEntries(entries), close } as Ledger;
}

/** Implements the ledger over the SQL of either engine. */
export function createLedger(db: Database, options: { readonly newOwnerId?: NewOwnerId } = {}): Ledger {
  const call = (name: LedgerMethod, argument: unknown) => {
    const method = methods[name] as MethodDefinition<unknown, unknown>;
    return method.run(db, argument, options.newOwnerId);
  };
  return createLedgerFrom(call, () => db.close());
}
