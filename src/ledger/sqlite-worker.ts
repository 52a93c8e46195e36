import { parentPort, workerData } from 'node:worker_threads';
import { createLedger } from './ledger.ts';
import type { SqliteOptions } from './sqlite-connection.ts';
import { SqliteDatabase } from './sqlite-database.ts';
import { type Answer, type Call, pack } from './sqlite-wire.ts';

/** A thread that does nothing but run the ledger: fsyncs and sweeps stall nobody else. */
const database = new SqliteDatabase(workerData as SqliteOptions);
const ledger = { ...createLedger(database), open: () => database.migrate() };
let answers: Answer[] = [];

parentPort?.on('message', (calls: readonly Call[]) => {
  for (const call of calls) {
    run(call).then(answer, (error) => answer([call[0], undefined, pack(error)]));
  }
});

async function run([number, order, argument]: Call): Promise<Answer> {
  // Calls are typed where they are made, on the other side.
  const method = ledger[order] as (argument: unknown) => Promise<unknown>;
  return [number, await method(argument)];
}

/** All answers that are ready at once travel together. */
function answer(ready: Answer): void {
  if (answers.push(ready) > 1) return;
  process.nextTick(() => {
    parentPort?.postMessage(answers);
    answers = [];
  });
}
