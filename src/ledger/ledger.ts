import { adopt, oldPaths, rememberOldPath } from './adopt.ts';
import {
  countRows,
  cutRows,
  digestRows,
  dropRows,
  findRows,
  readRows,
  writeRows,
  wrongOwners,
} from './carry.ts';
import { claim, commit, release } from './claims.ts';
import type { Ledger } from './contract.ts';
import type { Database } from './database.ts';
import { forget } from './forget.ts';
import { heartbeat, instances, lost } from './instances.ts';
import { chargeRate } from './message-rates.ts';
import { beginOnce, dropOnce, finishOnce } from './once.ts';
import {
  buried,
  doomed,
  find,
  findByPutKey,
  findRemoval,
  known,
  listOwners,
  listRemovals,
  listUploads,
  ownerBySha1,
  stats,
  usage,
} from './queries.ts';
import { due, dueAt, enqueue, laneWaits, postpone, settle, waiting } from './queue.ts';
import { remove } from './removal.ts';
import { correctSize, recount } from './repair.ts';
import { reserve } from './reserve.ts';
import { stand, standing } from './standings.ts';
import { sweep } from './sweep.ts';

export interface LedgerOptions {
  /** Makes ids of new owners, 1 to 2^31 - 1; one that is taken is passed over. */
  readonly newOwnerId?: () => number;
}

/** The one ledger, over whatever engine runs its SQL. Methods are documented at `Ledger`. */
export function createLedger(db: Database, options: LedgerOptions = {}): Ledger {
  return {
    reserve: (reservation) => db.tx((q) => reserve(q, reservation, options.newOwnerId), 'lazy'),
    claim: (order) => db.tx((q) => claim(q, order), 'lazy'),
    commit: (order) => db.tx((q) => commit(q, order), 'durable', 'ending'),
    release: (order) => db.tx((q) => release(q, order), 'lazy', 'ending'),

    find: (locator) => find(db, locator),
    findByPutKey: (putKey) => findByPutKey(db, putKey),
    findRemoval: (locator) => findRemoval(db, locator),

    remove: (order) => db.tx((q) => remove(q, order)),
    forget: (order) => db.tx((q) => forget(q, order)),
    sweep: (step) => sweep(db, step),
    doomed: (limit) => doomed(db, limit),
    buried: (blobs) => db.tx((q) => buried(q, blobs), 'durable', 'always'),
    adopt: (order) => db.tx((q) => adopt(q, order, options.newOwnerId)),
    rememberOldPath: (oldPath) => db.tx((q) => rememberOldPath(q, oldPath)),
    oldPaths: () => oldPaths(db),
    heartbeat: (instance) => db.tx((q) => heartbeat(q, instance), 'lazy', 'always'),
    instances: (host) => instances(db, host),
    lost: (ids) => db.tx((q) => lost(q, ids), 'lazy', 'always'),

    usage: (owner) => usage(db, owner),
    ownerBySha1: (sha1) => ownerBySha1(db, sha1),
    listUploads: (query) => listUploads(db, query),
    listRemovals: (query) => listRemovals(db, query),
    listOwners: (query) => listOwners(db, query),
    stats: () => stats(db),

    known: (ids) => known(db, ids),
    correctSize: (order) => db.tx((q) => correctSize(q, order)),
    recount: (order) => db.tx((q) => recount(q, order), 'durable', order.repair ? 'open' : 'always'),

    enqueue: (order) => db.tx((q) => enqueue(q, order)),
    due: (order) => due(db, order),
    settle: (place) => db.tx((q) => settle(q, place), 'lazy', 'ending'),
    postpone: (order) => db.tx((q) => postpone(q, order), 'lazy'),
    waiting: (queue) => waiting(db, queue),
    laneWaits: (lane) => laneWaits(db, lane),
    dueAt: (queue) => dueAt(db, queue),
    beginOnce: (order) => db.tx((q) => beginOnce(q, order), 'lazy'),
    finishOnce: (order) => db.tx((q) => finishOnce(q, order), 'durable', 'ending'),
    dropOnce: (order) => db.tx((q) => dropOnce(q, order), 'lazy'),
    chargeRate: (order) => db.tx((q) => chargeRate(q, order), 'lazy'),

    standing: () => standing(db),
    stand: (to) => db.alone((q) => stand(q, to)),
    cutRows: (order) => cutRows(db, order),
    digestRows: (range) => digestRows(db, range),
    readRows: (range) => readRows(db, range),
    findRows: (order) => findRows(db, order),
    writeRows: (order) => db.tx((q) => writeRows(q, order), 'durable', 'arriving'),
    dropRows: (order) => db.tx((q) => dropRows(q, order), 'durable', 'arriving'),
    countRows: (order) => countRows(db, order),
    wrongOwners: (range) => wrongOwners(db, range),

    close: () => db.close(),
  };
}
