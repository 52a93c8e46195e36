import { parentPort, workerData } from 'node:worker_threads';
import { createLedger } from '../sql/methods.ts';
import type { SqliteOptions } from './connection.ts';
import { SqliteDatabase } from './database.ts';
import { serializeError, type ThreadCall, type ThreadReply } from './thread-protocol.ts';

/** A thread that runs the ledger, so that an fsync or a sweep does not block the event loop of the server. */
const database = new SqliteDatabase(workerData as SqliteOptions);
const ledger = { ...createLedger(database), open: () => database.migrate() };
let replies: ThreadReply[] = [];

parentPort?.on('message', (calls: readonly ThreadCall[]) => {
  for (const call of calls) {
    run(call).then(reply, (error) => reply([call[0], undefined, serializeError(error)]));
  }
});

async function run([number, name, argument]: ThreadCall): Promise<ThreadReply> {
  // The main thread checks the types of calls.
  const method = ledger[name] as (argument: unknown) => Promise<unknown>;
  return [number, await method(argument)];
}

/** Sends all replies of one turn of the event loop in one message. */
function reply(ready: ThreadReply): void {
  if (replies.push(ready) > 1) return;
  process.nextTick(() => {
    parentPort?.postMessage(replies);
    replies = [];
  });
}
