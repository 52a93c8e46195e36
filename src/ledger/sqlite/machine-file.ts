import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type Machine, thisMachine } from '../../base/system-resources.ts';
import type { InstanceState } from '../contract/ledger.ts';

/*
 * Two machines that have one SQLite file open do not see each other's heartbeats in it, because each reads its own index of the
 * write-ahead log. So each server also records its machine in `porter.db-machine`. Network file systems show the newest content
 * of a file when it is opened.
 */

/** The last heartbeat in the file. Its fields are those of a process in the database. */
type RecordedMachine = Machine & Pick<InstanceState, 'pid' | 'seenAt' | 'silentMs'>;

const pathOf = (database: string) => `${database}-machine`;

/** Returns undefined if the file is missing or cannot be read. */
export function readMachineFile(database: string): RecordedMachine | undefined {
  try {
    const recorded = JSON.parse(readFileSync(pathOf(database), 'utf8')) as Omit<RecordedMachine, 'silentMs'>;
    return { ...recorded, silentMs: Date.now() - recorded.seenAt };
  } catch {
    return undefined;
  }
}

/** Records a heartbeat of this process. Does nothing on a full or read-only disk: the next heartbeat tries again. */
export function writeMachineFile(database: string): void {
  const path = pathOf(database);
  const part = `${path}-${process.pid}`;
  try {
    // A rename, so that no reader sees half of the text.
    writeFileSync(part, JSON.stringify({ ...thisMachine, pid: process.pid, seenAt: Date.now() }), {
      mode: 0o600,
    });
    renameSync(part, path);
  } catch {
    rmSync(part, { force: true });
  }
}

/** Removes the file if this machine has written it last, so that another one can start at once. */
export function removeMachineFile(database: string): void {
  const recorded = readMachineFile(database);
  if (recorded?.bootId !== thisMachine.bootId || recorded.host !== thisMachine.host) return;
  rmSync(pathOf(database), { force: true });
}
