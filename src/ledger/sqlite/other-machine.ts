import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { isSameBoot, type Machine, thisMachine } from '../../base/system-resources.ts';
import { HEARTBEAT_TIMEOUT_MS, type InstanceState, LedgerError } from '../contract/ledger.ts';
import { SQLITE_NOW } from './connection.ts';
import { readMachineFile, writeMachineFile } from './machine-file.ts';

/*
 * SQLite shares its index of the write-ahead log between processes by memory, so all of them must run on one kernel
 * (https://sqlite.org/wal.html, https://sqlite.org/useovernet.html). Containers of one machine do: they have its boot id. A
 * second machine damages the file, whatever file system it is on.
 * Its heartbeats are in the database, and in a file beside it (`machine-file.ts`).
 */

const BUSY_TIMEOUT_MS = 10_000;

type OtherServer = Pick<InstanceState, 'host' | 'pid' | 'seenAt' | 'silentMs'>;

/** Another machine has sent a heartbeat to this SQLite file within `HEARTBEAT_TIMEOUT_MS`. */
export class OtherMachineError extends LedgerError {
  /** Time of its last heartbeat, ms since 1970. Grows while the other server runs. */
  readonly seenAt: number;

  constructor(file: string, { host, pid, seenAt, silentMs }: OtherServer) {
    const remainingMs = HEARTBEAT_TIMEOUT_MS - silentMs;
    super(
      'busy',
      `Porter on the machine ${host} (process ${pid}) used the ledger ${file} ${toSeconds(silentMs)} s ago. Two machines damage an ` +
        'SQLite file that both have open. Stop Porter there, or use PostgreSQL for several machines (docs/scale.md). ' +
        `If it has crashed, try again in ${toSeconds(remainingMs)} s.`,
    );
    this.seenAt = seenAt;
  }
}

const toSeconds = (ms: number) => Math.max(0, Math.ceil(ms / 1000));

/**
 * Throws `OtherMachineError` if a server on another machine uses the file, or has been killed a moment ago. Writes nothing.
 * Assumes that the clocks of both machines differ by less than `HEARTBEAT_TIMEOUT_MS`: a heartbeat that is further in the
 * future comes from a clock that was set back, as after a power cut on a machine without a battery for its clock.
 */
export function assertNoOtherMachine(file: string): void {
  const machine = readMachineFile(file);
  assertAlone(file, machine ? [...readHeartbeats(file), machine] : readHeartbeats(file));
}

/** Throws `OtherMachineError` if one of these servers runs on another machine. */
function assertAlone(file: string, servers: readonly (OtherServer & Machine)[]): void {
  const [newest] = servers
    .filter((one) => Math.abs(one.silentMs) < HEARTBEAT_TIMEOUT_MS && isOtherKernel(one))
    .toSorted((one, other) => other.seenAt - one.seenAt);
  if (newest) throw new OtherMachineError(file, newest);
}

/**
 * Records a heartbeat of this machine in the file beside the database. Throws `OtherMachineError` if another machine has done so
 * within `HEARTBEAT_TIMEOUT_MS`: this process must not use the database any longer.
 */
export function recordMachine(file: string): void {
  const recorded = readMachineFile(file);
  if (recorded) assertAlone(file, [recorded]);
  writeMachineFile(file);
}

/** A process of an earlier version, or of a system without boot ids, is recognised by the name of its host. */
function isOtherKernel(machine: Machine): boolean {
  if (machine.bootId === '' || thisMachine.bootId === '') return machine.host !== thisMachine.host;
  return !isSameBoot(machine, thisMachine);
}

/** Returns an empty list if the file or its table does not exist yet, or cannot be read: opening the ledger reports that. */
function readHeartbeats(file: string): InstanceState[] {
  if (!existsSync(file)) return [];
  try {
    const database = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
    try {
      return database.prepare(SELECT_HEARTBEATS).all() as unknown as InstanceState[];
    } finally {
      database.close();
    }
  } catch {
    return [];
  }
}

const SELECT_HEARTBEATS = `select host, pid, machine_id as "machineId", boot_id as "bootId", pid_namespace as "pidNamespace",
  seen_at as "seenAt", ${SQLITE_NOW} - seen_at as "silentMs" from instances`;
