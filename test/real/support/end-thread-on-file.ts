/**
 * Preloaded with `--import` into a server under test. Ends each thread that runs the ledger once the file named by
 * `PORTER_TEST_END_THREAD` exists.
 */
import { existsSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const file = process.env.PORTER_TEST_END_THREAD;
if (!isMainThread && file !== undefined) {
  // In a thread, `process.exit` ends that thread only.
  setInterval(() => existsSync(file) && process.exit(7), 10).unref();
}
