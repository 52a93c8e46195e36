import { readFileSync, readlinkSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import tls from 'node:tls';

/**
 * Returns how many files and sockets this process may have open (`ulimit -n`; Node.js raises the soft limit to the hard one
 * when it starts). Returns undefined if the limit cannot be read, or if there is none.
 */
export function fileDescriptorLimit(): number | undefined {
  try {
    const soft = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/** The space of a file system, in bytes and in files (inodes). */
export interface DiskSpace {
  /** Bytes that this process may use, without the blocks reserved for root. */
  readonly free: number;
  readonly total: number;
  readonly freeFiles: number;
  /** 0 if the file system does not limit the number of files, as btrfs. */
  readonly totalFiles: number;
}

/** Reads the space of the file system of this file or folder. */
export async function readDiskSpace(path: string): Promise<DiskSpace> {
  const { bavail, blocks, bsize, ffree, files } = await statfs(path);
  return { free: bavail * bsize, total: blocks * bsize, freeFiles: ffree, totalFiles: files };
}

/**
 * The scope in which a process id is unique. Several hosts may have the same name, cloned machines the same machine id, and containers
 * of one host the same boot id, so all of them are compared.
 */
export interface Machine {
  /** The host name, for people. Identifies the machine only if there is no boot id. */
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

/** Returns true if equal process ids of both are the same process. */
export function hasSamePids(one: Machine, other: Machine): boolean {
  return (
    isSameBoot(one, other) && one.machineId === other.machineId && one.pidNamespace === other.pidNamespace
  );
}

/** Returns true if both are from the same boot of the same kernel. Without boot ids, compares host names. */
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

let areTrusted = false;

/**
 * Makes all later TLS connections of this thread also trust the certificate authorities of the system, as other programs do. The list
 * of Node.js and `NODE_EXTRA_CA_CERTS` stay trusted. The list of the system is in the files that OpenSSL reads by default, or in
 * `SSL_CERT_FILE` and `SSL_CERT_DIR`. The first call takes about 80 ms, so only code that opens TLS connections calls this.
 */
export function trustSystemCertificates(): void {
  if (areTrusted) return;
  areTrusted = true;
  // Since Node.js 24.5. Before that, NODE_OPTIONS=--use-system-ca does the same.
  if (typeof tls.setDefaultCACertificates !== 'function') return;
  const trusted = new Set([...tls.getCACertificates('default'), ...tls.getCACertificates('system')]);
  tls.setDefaultCACertificates([...trusted]);
}
