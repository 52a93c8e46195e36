import { parentPort, workerData } from 'node:worker_threads';
import { createLedger } from '../sql/methods.ts';
import type { SqliteOptions } from './connection.ts';
import { SqliteDatabase } from './database.ts';
import { serializeError, type ThreadCall, type ThreadReply } from './thread-protocol.ts';

/** A thread that does nothing but run the ledger: fsyncs and sweeps stall nobody else. */
const database = new SqliteDatabase(workerData as SqliteOptions);
const ledger = { ...createLedger(database), open: () => database.migrate() };
let answers: ThreadReply[] = [];

parentPort?.on('message', (calls: readonly ThreadCall[]) => {
  for (const call of calls) {
    run(call).then(answer, (error) => answer([call[0], undefined, serializeError(error)]));
  }
});

async function run([number, order, argument]: ThreadCall): Promise<ThreadReply> {
  // Calls are typed where they are made, on the other side.
  const method = ledger[order] as (argument: unknown) => Promise<unknown>;
  return [number, await method(argument)];
}

/** All answers that are ready at once travel together. */
function answer(ready: ThreadReply): void {
  if (answers.push(ready) > 1) return;
  process.nextTick(() => {
    parentPort?.postMessage(answers);
    answers = [];
  });
}
