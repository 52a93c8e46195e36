/**
 * `npm run soak [-- --minutes 10 --seed 1 --ledger sqlite|postgresql --blobs disk|s3]`: uploads and removes files while servers
 * are killed, frozen and started with a wrong clock, connections are cut, the disk fills up, and the database or the object store
 * is down. Then checks that
 *
 *   - every acknowledged upload is readable, byte for byte, unless it was removed
 *   - no upload that was refused or cut, and no removed one, is readable
 *   - the counters equal the rows, and `fsck` finds no fault; on disk it also finds no bytes without a row
 *
 * Prints the figures as JSON. Exit code 1 after a violation. Not part of `npm test`. The seed repeats the choice of faults, not
 * their timing. Fills the disk only if it may mount a tmpfs.
 */
import { createHash, randomBytes } from 'node:crypto';
import { utimesSync, writeFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { PorterProcess } from '../real/support/porter-process.ts';
import { getSlot, type Slot, startPut } from '../real/support/slots.ts';
import { type HttpResponse, httpRequest } from '../support/http.ts';
import { openSoakCluster, type SoakCluster } from './cluster.ts';
import { createRandom, type Random } from './random.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    ledger: { type: 'string', default: 'sqlite' },
    blobs: { type: 'string', default: 'disk' },
  },
});
const minutes = Number(values.minutes);
const random: Random = createRandom(Number(values.seed));
const CLIENTS = 4;
const MAX_SIZE = 60_000;

/**
 * | result            | meaning                                          | may be readable |
 * |-------------------|--------------------------------------------------|-----------------|
 * | `unknown`         | no answer, or an internal error                  | yes             |
 * | `stored`          | 201                                              | must be         |
 * | `refused`         | a refusal, or the body was cut                   | no              |
 * | `removal_unknown` | stored, then a removal that was not acknowledged | yes             |
 * | `removed`         | stored, then an acknowledged removal             | no              |
 */
type Result = 'unknown' | 'stored' | 'refused' | 'removal_unknown' | 'removed';

interface Attempt {
  /** Path of the download link. */
  readonly get: string;
  readonly sha256: string;
  result: Result;
}

const attempts: Attempt[] = [];
const figures = {
  stored: 0,
  storedByRetry: 0,
  cut: 0,
  unanswered: 0,
  internalErrors: 0,
  refused: 0,
  removed: 0,
};

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const pathOf = (link: string) => new URL(link).pathname;

async function main(): Promise<void> {
  const cluster = await openSoakCluster({ ledger: values.ledger, blobs: values.blobs, random });
  const end = performance.now() + minutes * 60_000;
  const isOver = () => performance.now() >= end;
  const clients = Array.from({ length: CLIENTS }, () => runClient(cluster, isOver));
  const faults: Record<string, number> = {};
  while (!isOver()) {
    await sleep(random.between(500, 4000));
    const fault = random.pick(cluster.faults);
    faults[fault.name] = (faults[fault.name] ?? 0) + 1;
    await fault.inject();
  }
  await Promise.all(clients);
  const violations = await check(cluster);
  const { seed, ledger, blobs } = values;
  console.log(JSON.stringify({ minutes, seed, ledger, blobs, ...figures, faults, violations }, null, 2));
  await cluster.remove();
  if (violations.length > 0) process.exitCode = 1;
}

/** Works until the end. Requests fail again and again, because their server is killed. */
async function runClient(cluster: SoakCluster, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const work = random.below(60) === 0 ? removeOne(cluster.any()) : uploadOne(cluster);
    await work.catch(() => sleep(50));
  }
}

async function uploadOne(cluster: SoakCluster): Promise<void> {
  const body = randomBytes(random.between(1, MAX_SIZE));
  const slot = await getSlot(cluster.any(), { size: body.length, jid: `user${random.below(5)}@example.org` });
  const attempt: Attempt = { get: pathOf(slot.get), sha256: sha256(body), result: 'unknown' };
  attempts.push(attempt);
  if (random.below(8) === 0) await cutPut(slot, body);
  const isFirst = await putOnce(cluster.any(), attempt, slot, body);
  // Sends the same bytes again, to any of the servers, as clients do.
  if (attempt.result !== 'unknown' || isFirst) return;
  await sleep(random.between(0, 500));
  await putOnce(cluster.any(), attempt, slot, body);
  if ((attempt.result as Result) === 'stored') figures.storedByRetry += 1;
}

/** Sends half of the body and closes the connection. The slot can be used again. */
async function cutPut(slot: Slot, body: Buffer): Promise<void> {
  figures.cut += 1;
  const put = await startPut(slot.put, body, body.length >> 1);
  put.destroy();
}

/** Returns true if the upload got a final answer. */
async function putOnce(porter: PorterProcess, attempt: Attempt, slot: Slot, body: Buffer): Promise<boolean> {
  const answer = await httpRequest(porter.url + pathOf(slot.put), { method: 'PUT', body }).catch(
    () => undefined,
  );
  if (answer === undefined) figures.unanswered += 1;
  else attempt.result = countAnswer(answer);
  return attempt.result !== 'unknown';
}

/** Counts an answer and returns its result. A 409 means that another attempt is still running, so the outcome is unknown. */
function countAnswer({ status }: HttpResponse): Result {
  if (status === 201) {
    figures.stored += 1;
    return 'stored';
  }
  if (status === 409 || (status >= 500 && status !== 507)) {
    figures.internalErrors += 1;
    return 'unknown';
  }
  figures.refused += 1;
  return 'refused';
}

async function removeOne(porter: PorterProcess): Promise<void> {
  const stored = attempts.filter(({ result }) => result === 'stored');
  if (stored.length === 0) return;
  const attempt = random.pick(stored);
  attempt.result = 'removal_unknown';
  const { code } = await porter.runCommand('delete', porter.url + attempt.get);
  if (code !== 0) return;
  attempt.result = 'removed';
  figures.removed += 1;
}

async function check(cluster: SoakCluster): Promise<string[]> {
  const porter = await cluster.repair();
  const violations: string[] = [];
  for (const { get, sha256: expected, result } of attempts) {
    const { status, body } = await httpRequest(porter.url + get);
    if (result === 'stored' && status !== 200) violations.push(`lost: ${get} is ${status}`);
    if ((result === 'refused' || result === 'removed') && status === 200) {
      violations.push(`visible although ${result}: ${get}`);
    }
    if (status === 200 && sha256(body) !== expected) violations.push(`damaged: ${get}`);
    if (status !== 200 && status !== 404) violations.push(`not served: ${get} is ${status}`);
  }
  for (const command of ['cleanup', 'fsck']) {
    if (command === 'fsck') await makeOld(cluster.blobFolder);
    const { code, stdout, stderr } = await porter.runCommand(command);
    if (code !== 0) violations.push(`${command}: ${stdout}${stderr}`);
  }
  writeFileSync(join(porter.folder, 'server.log'), porter.program.output);
  return violations;
}

/** Makes all files two hours old, so that `fsck` reports those without a row. It ignores files younger than an hour. */
async function makeOld(folder: string | undefined): Promise<void> {
  if (folder === undefined) return;
  const time = Date.now() / 1000 - 7200;
  for await (const file of glob(`${folder}/??/*`)) utimesSync(file, time, time);
}

await main();
