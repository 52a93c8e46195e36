import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Ledger, LedgerFault } from './contract.ts';
import type { SqliteOptions } from './sqlite-connection.ts';
import { type Answer, type Call, type Method, type Order, type Role, roleOf, unpack } from './sqlite-wire.ts';

export type { SqliteOptions };

/**
 * Opens the ledger in an SQLite file, which is made, with its folder, where there is none, and brought up to this
 * program. Several processes may have one file open.
 * @throws LedgerFault where it cannot be opened, or is newer than this program.
 */
export async function openSqliteLedger(options: SqliteOptions): Promise<Ledger> {
  await makeFolder(dirname(options.file));
  const writer = new Thread(options);
  try {
    await writer.call('open');
  } catch (fault) {
    await writer.close();
    throw fault;
  }
  return connect({ writer, reader: new Thread(options) });
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : cause;
    throw new LedgerFault('denied', `The folder of the ledger cannot be made (${code}).`, cause);
  }
}

/** A ledger whose methods run in threads. Those that only look have one of their own and wait for no fsync. */
function connect(threads: Record<Role, Thread>): Ledger {
  const method = <M extends Method>(name: M) => {
    const thread = threads[roleOf(name)];
    // The other side runs this very method of a `Ledger`.
    return ((argument?: unknown) => thread.call(name, argument)) as Ledger[M];
  };
  return {
    reserve: method('reserve'),
    claim: method('claim'),
    commit: method('commit'),
    release: method('release'),
    find: method('find'),
    findByPutKey: method('findByPutKey'),
    findRemoval: method('findRemoval'),
    remove: method('remove'),
    forget: method('forget'),
    sweep: method('sweep'),
    doomed: method('doomed'),
    buried: method('buried'),
    adopt: method('adopt'),
    rememberOldPath: method('rememberOldPath'),
    oldPaths: method('oldPaths'),
    heartbeat: method('heartbeat'),
    instances: method('instances'),
    lost: method('lost'),
    usage: method('usage'),
    ownerBySha1: method('ownerBySha1'),
    listUploads: method('listUploads'),
    listRemovals: method('listRemovals'),
    listOwners: method('listOwners'),
    stats: method('stats'),
    known: method('known'),
    correctSize: method('correctSize'),
    recount: method('recount'),
    enqueue: method('enqueue'),
    due: method('due'),
    settle: method('settle'),
    postpone: method('postpone'),
    waiting: method('waiting'),
    laneWaits: method('laneWaits'),
    dueAt: method('dueAt'),
    beginOnce: method('beginOnce'),
    finishOnce: method('finishOnce'),
    dropOnce: method('dropOnce'),
    chargeRate: method('chargeRate'),
    standing: method('standing'),
    stand: method('stand'),
    cutRows: method('cutRows'),
    digestRows: method('digestRows'),
    readRows: method('readRows'),
    findRows: method('findRows'),
    writeRows: method('writeRows'),
    dropRows: method('dropRows'),
    countRows: method('countRows'),
    wrongOwners: method('wrongOwners'),
    async close() {
      await Promise.all([threads.reader.close(), threads.writer.close()]);
    },
  };
}

interface Pending {
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

/** The same ending as this file: `.ts` in a checkout, `.js` in the package. */
const WORKER = new URL(
  `./sqlite-worker${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`,
  import.meta.url,
);

/** A worker thread with a ledger in it. All calls of one turn of the event loop travel together. */
class Thread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #calls: Call[] = [];
  #count = 0;
  #fault: LedgerFault | undefined;

  constructor(options: SqliteOptions) {
    this.#worker = new Worker(WORKER, { workerData: options, name: 'ledger' });
    this.#worker.on('message', (answers: readonly Answer[]) => this.#settle(answers));
    this.#worker.on('error', (cause) =>
      this.#fail(new LedgerFault('failed', 'The ledger broke down.', cause)),
    );
    this.#worker.on('exit', () => this.#fail(new LedgerFault('closed', 'The ledger is closed.')));
  }

  call(order: Order, argument?: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#fault) return reject(this.#fault);
      this.#count += 1;
      this.#pending.set(this.#count, { resolve, reject });
      if (this.#calls.push([this.#count, order, argument]) === 1) setImmediate(() => this.#post());
    });
  }

  async close(): Promise<void> {
    if (this.#fault) return;
    await this.call('close');
    await this.#worker.terminate();
  }

  #post(): void {
    this.#worker.postMessage(this.#calls);
    this.#calls = [];
  }

  #settle(answers: readonly Answer[]): void {
    for (const [number, value, failure] of answers) {
      const pending = this.#pending.get(number);
      this.#pending.delete(number);
      if (failure) pending?.reject(unpack(failure));
      else pending?.resolve(value);
    }
  }

  #fail(fault: LedgerFault): void {
    this.#fault ??= fault;
    for (const { reject } of this.#pending.values()) reject(this.#fault);
    this.#pending.clear();
  }
}
