import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { createDurableFolder } from '../../base/durable-folder.ts';
import { entryPoint } from '../../base/package-files.ts';
import { type Ledger, LedgerError } from '../contract/ledger.ts';
import { createLedgerFrom, methods } from '../sql/methods.ts';
import type { SqliteOptions } from './connection.ts';
import { assertOwnWal } from './foreign-wal.ts';
import { removeMachineFile } from './machine-file.ts';
import { assertNoOtherMachine, recordMachine } from './other-machine.ts';
import { folderError } from './sqlite-error.ts';
import { deserializeError, type ThreadCall, type ThreadMethod, type ThreadReply } from './thread-protocol.ts';

export type { SqliteOptions };

/**
 * Opens the ledger in an SQLite file. Creates the file and its folder if needed, and migrates the schema. Several processes of
 * one machine may open one file. If a thread of the ledger ends before `close`, all calls that need it are rejected.
 * `onFailure` is called then, and also if another machine has started to use the file.
 * @throws LedgerError if the file cannot be opened, has the write-ahead log of another file, a server on another machine uses it
 *   (`OtherMachineError`), or a newer version of Porter has migrated it.
 */
export async function openSqliteLedger(
  options: SqliteOptions,
  onFailure: (error: LedgerError) => void = () => {},
): Promise<Ledger> {
  createFolder(dirname(options.file));
  assertOwnWal(options.file);
  assertNoOtherMachine(options.file);
  const writer = new Thread(options, onFailure);
  try {
    await writer.call('open');
  } catch (error) {
    await writer.close();
    throw error;
  }
  const ledger = connect({ writer, reader: new Thread(options, onFailure) });
  return watchMachine(ledger, options.file, onFailure);
}

/** Records this machine with each heartbeat. Calls `onOtherMachine` if another machine has started to use the file. */
function watchMachine(ledger: Ledger, file: string, onOtherMachine: (error: LedgerError) => void): Ledger {
  let isRecorded = false;
  return {
    ...ledger,
    async heartbeat(heartbeat) {
      try {
        recordMachine(file);
        isRecorded = true;
      } catch (error) {
        if (error instanceof LedgerError) onOtherMachine(error);
        throw error;
      }
      await ledger.heartbeat(heartbeat);
    },
    async close() {
      await ledger.close();
      if (isRecorded) removeMachineFile(file);
    },
  };
}

function createFolder(folder: string): void {
  try {
    createDurableFolder(folder, 0o700);
  } catch (cause) {
    throw folderError(folder, cause);
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

interface PendingCall {
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

const WORKER = entryPoint('ledger/sqlite/worker');

/** A worker thread that runs the ledger. All calls of one turn of the event loop are sent in one message. */
class Thread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, PendingCall>();
  #calls: ThreadCall[] = [];
  #count = 0;
  #error: LedgerError | undefined;
  #isClosing = false;

  constructor(options: SqliteOptions, onUnexpectedEnd: (error: LedgerError) => void) {
    this.#worker = new Worker(WORKER, { workerData: options, name: 'ledger' });
    this.#worker.on('message', (replies: readonly ThreadReply[]) => this.#settle(replies));
    // `exit` follows `error`.
    this.#worker.on('error', (cause) => this.#fail(threadEndError(options.file, cause)));
    this.#worker.on('exit', (code) => {
      if (this.#isClosing) this.#fail(new LedgerError('closed', 'The ledger is closed.'));
      else onUnexpectedEnd(this.#fail(threadEndError(options.file, new Error(`exit code ${code}`))));
    });
  }

  call(method: ThreadMethod, argument?: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#error) return reject(this.#error);
      this.#count += 1;
      this.#pending.set(this.#count, { resolve, reject });
      if (this.#calls.push([this.#count, method, argument]) === 1) setImmediate(() => this.#post());
    });
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#error) return;
    await this.call('close');
    await this.#worker.terminate();
  }

  #post(): void {
    this.#worker.postMessage(this.#calls);
    this.#calls = [];
  }

  #settle(replies: readonly ThreadReply[]): void {
    for (const [number, value, failure] of replies) {
      const pending = this.#pending.get(number);
      this.#pending.delete(number);
      if (failure) pending?.reject(deserializeError(failure));
      else pending?.resolve(value);
    }
  }

  /** Rejects all calls, also later ones, with the first error. */
  #fail(error: LedgerError): LedgerError {
    this.#error ??= error;
    for (const { reject } of this.#pending.values()) reject(this.#error);
    this.#pending.clear();
    return this.#error;
  }
}

function threadEndError(file: string, cause: unknown): LedgerError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new LedgerError(
    'failed',
    `The thread that runs the ledger ${file} has ended unexpectedly (${reason}). Start Porter again. ` +
      'If this is repeated, check the free memory and the disk of this machine, and run: porter fsck',
    cause,
  );
}
