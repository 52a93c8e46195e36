import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Ledger, LedgerError } from '../contract/ledger.ts';
import { createLedgerFrom, methods } from '../sql/methods.ts';
import type { SqliteOptions } from './connection.ts';
import { deserializeError, type ThreadCall, type ThreadMethod, type ThreadReply } from './thread-protocol.ts';

export type { SqliteOptions };

/**
 * Opens the ledger in an SQLite file, which is made, with its folder, where there is none, and brought up to this
 * program. Several processes may have one file open.
 * @throws LedgerError where it cannot be opened, or is newer than this program.
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
    throw new LedgerError('denied', `The folder of the ledger cannot be made (${code}).`, cause);
  }
}

/** A ledger whose methods run in two threads. Reads have their own thread, so that they never wait for an fsync. */
function connect(threads: Record<'reader' | 'writer', Thread>): Ledger {
  return createLedgerFrom(
    (method, argument) => threads[methods[method].thread].call(method, argument),
    async () => {
      await Promise.all([threads.reader.close(), threads.writer.close()]);
    },
  );
}

interface Pending {
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

/** The same ending as this file: `.ts` in a checkout, `.js` in the package. */
const WORKER = new URL(`./worker${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`, import.meta.url);

/** A worker thread with a ledger in it. All calls of one turn of the event loop travel together. */
class Thread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #calls: ThreadCall[] = [];
  #count = 0;
  #fault: LedgerError | undefined;

  constructor(options: SqliteOptions) {
    this.#worker = new Worker(WORKER, { workerData: options, name: 'ledger' });
    this.#worker.on('message', (answers: readonly ThreadReply[]) => this.#settle(answers));
    this.#worker.on('error', (cause) =>
      this.#fail(new LedgerError('failed', 'The ledger broke down.', cause)),
    );
    this.#worker.on('exit', () => this.#fail(new LedgerError('closed', 'The ledger is closed.')));
  }

  call(order: ThreadMethod, argument?: unknown): Promise<unknown> {
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

  #settle(answers: readonly ThreadReply[]): void {
    for (const [number, value, failure] of answers) {
      const pending = this.#pending.get(number);
      this.#pending.delete(number);
      if (failure) pending?.reject(deserializeError(failure));
      else pending?.resolve(value);
    }
  }

  #fail(fault: LedgerError): void {
    this.#fault ??= fault;
    for (const { reject } of this.#pending.values()) reject(this.#fault);
    this.#pending.clear();
  }
}
