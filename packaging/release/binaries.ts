import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Architecture } from './node-runtime.ts';

/** `e_machine`, bytes 18 and 19 of an ELF header: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html */
const MACHINES: Readonly<Record<Architecture, number>> = { amd64: 0x3e, arm64: 0xb7 };
const ELF = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);
const HEADER_BYTES = 20;

export interface Binary {
  /** Relative to the folder that was searched. */
  readonly file: string;
  /** `e_machine` of its header. */
  readonly machine: number;
}

/** Returns all programs and libraries in a folder, found by their content, sorted. Does not follow symbolic links. */
export function findBinaries(folder: string): Binary[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
    .flatMap((path) => {
      const machine = readMachine(path);
      return machine === undefined ? [] : [{ file: path.slice(folder.length + 1), machine }];
    });
}

/** Returns all programs and libraries in a folder. Throws if one of them is for another architecture. */
export function checkBinaries(folder: string, architecture: Architecture): Binary[] {
  const found = findBinaries(folder);
  const wrong = found.filter(({ machine }) => machine !== MACHINES[architecture]);
  if (wrong.length === 0) return found;
  const list = wrong.map(({ file, machine }) => `${file} (ELF machine 0x${machine.toString(16)})`);
  throw new Error(`Not for ${architecture}: ${list.join(', ')}`);
}

/** Returns `e_machine` of a file. Undefined if the file has no ELF header. */
function readMachine(path: string): number | undefined {
  const descriptor = openSync(path, 'r');
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    const length = readSync(descriptor, header, 0, HEADER_BYTES, 0);
    if (length < HEADER_BYTES || !header.subarray(0, ELF.length).equals(ELF)) return undefined;
    // Both architectures are little-endian.
    return header.readUInt16LE(18);
  } finally {
    closeSync(descriptor);
  }
}
