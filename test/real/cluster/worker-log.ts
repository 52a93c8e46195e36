import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { httpRequest } from '../support/http-client.ts';
import type { Program } from '../support/program.ts';
import { uploadFile } from '../support/slots.ts';

interface Line {
  readonly msg: string;
  readonly pid: number;
  readonly worker?: number;
  /** Of the message that the line is about. */
  readonly id?: string;
  readonly workerPid?: number;
}

/** Lines of the log, in their order. */
export function readLog(program: Program): Line[] {
  const lines = program.stdout.split('\n').slice(0, -1);
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Line);
}

/** The process of every worker that serves, by its number. */
export function servingWorkers(program: Program): Map<number, number> {
  const serving = new Map<number, number>();
  for (const { msg, worker, workerPid } of readLog(program)) {
    if (worker === undefined || workerPid === undefined) continue;
    if (msg === 'a worker serves') serving.set(worker, workerPid);
    else if (msg.startsWith('a worker') && serving.get(worker) === workerPid) serving.delete(worker);
  }
  return serving;
}

/** The worker that leads on this machine. */
export function leaderPid(program: Program): number {
  const appointed = readLog(program).filter(({ msg }) => msg === 'this worker leads');
  const pid = appointed.at(-1)?.workerPid;
  assert.ok(pid);
  return pid;
}

/** Kills a worker, and waits until another serves in its place. */
export async function killWorker(program: Program, pid: number): Promise<void> {
  const [number = 0] = [...servingWorkers(program)].find(([, found]) => found === pid) ?? [];
  process.kill(pid, 'SIGKILL');
  await program.waitFor(
    `another worker ${number}`,
    () => ![undefined, pid].includes(servingWorkers(program).get(number)),
    60,
  );
}

/** Uploads without end, whatever happens to the servers. */
export interface UploadTraffic {
  /** Links of all that was answered 201. */
  readonly stored: readonly string[];
  /** Waits for so many more. */
  waitForMore(count: number): Promise<void>;
  stop(): Promise<void>;
}

const STREAMS = 4;

/** Each stream stores one file after the other, at one server after the other. */
export function startUploadTraffic(urls: readonly string[], body: Buffer, ca?: string): UploadTraffic {
  const stored: string[] = [];
  let stopping = false;
  let turn = 0;
  const stream = async () => {
    while (!stopping) {
      turn += 1;
      const url = urls[turn % urls.length] ?? '';
      // Whoever gets no 201 does it again: nothing was promised.
      await uploadFile({ url }, body, ca === undefined ? {} : { ca }).then(
        (get) => stored.push(get),
        () => sleep(10),
      );
    }
  };
  const running = Array.from({ length: STREAMS }, stream);
  return {
    stored,
    async waitForMore(count) {
      const wanted = stored.length + count;
      for (let tries = 0; stored.length < wanted; tries += 1) {
        if (tries > 6000) throw new Error(`no more than ${stored.length} of ${wanted} uploads were stored`);
        await sleep(10);
      }
    },
    async stop() {
      stopping = true;
      await Promise.all(running);
    },
  };
}

/** Every one of these links gives these bytes. */
export async function assertAllReadable(links: readonly string[], body: Buffer, ca?: string): Promise<void> {
  for (const link of links) {
    const answer = await httpRequest(link, ca === undefined ? {} : { ca });
    assert.equal(answer.status, 200, link);
    assert.ok(answer.body.equals(body), link);
  }
}
