import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Where a process id identifies a process. Hosts may share a name, cloned machines a machine id, and containers of one host its
 * boot id, so all of them count.
 */
export interface Machine {
  /** The host name, for people. Identifies the machine only where there is no boot id. */
  readonly host: string;
  /** `/etc/machine-id` (machine-id(5)); empty if there is none, as in many containers. */
  readonly machineId: string;
  /** Random id of the running kernel since its boot (proc(5)); empty if the system has none. */
  readonly bootId: string;
  /** The PID namespace (pid_namespaces(7)); empty if the system has none. */
  readonly pidNamespace: string;
}

const MACHINE_ID_FILES = ['/etc/machine-id', '/var/lib/dbus/machine-id'];
const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id';

export const thisMachine: Machine = {
  host: hostname(),
  machineId: MACHINE_ID_FILES.map(readText).find((id) => id !== '') ?? '',
  bootId: readText(BOOT_ID_FILE),
  pidNamespace: readPidNamespace(),
};

/** Returns true if process ids of both mean the same process. */
export function hasSamePids(one: Machine, other: Machine): boolean {
  return (
    isSameBoot(one, other) && one.machineId === other.machineId && one.pidNamespace === other.pidNamespace
  );
}

/** Returns true if both run on one kernel, which has not been restarted between them. Without boot ids, compares host names. */
export function isSameBoot(one: Machine, other: Machine): boolean {
  if (one.bootId !== '' || other.bootId !== '') return one.bootId === other.bootId;
  return one.host === other.host;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

function readPidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}
