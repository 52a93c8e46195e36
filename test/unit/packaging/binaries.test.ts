import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { checkBinaries, findBinaries } from '../../../packaging/release/binaries.ts';

/** The first 20 bytes of a program for a processor. */
function elf(machine: number): Buffer {
  const header = Buffer.alloc(20);
  header.write('\x7fELF', 'latin1');
  header.writeUInt16LE(machine, 18);
  return header;
}
const X64 = elf(0x3e);
const ARM64 = elf(0xb7);

describe('The check of the binaries in a package', () => {
  let parent: string;
  let folder: string;
  before(() => {
    parent = mkdtempSync(join(tmpdir(), 'porter-binaries-'));
  });
  after(() => rmSync(parent, { recursive: true }));
  beforeEach(() => {
    folder = mkdtempSync(join(parent, 'package-'));
    mkdirSync(join(folder, 'lib/deep'), { recursive: true });
    writeFileSync(join(folder, 'lib/node'), ARM64);
    writeFileSync(join(folder, 'README'), 'text');
    writeFileSync(join(folder, 'short'), '\x7fELF');
  });

  test('accepts a package whose programs and libraries are all for its architecture', () => {
    assert.deepEqual(checkBinaries(folder, 'arm64'), [{ file: 'lib/node', machine: 0xb7 }]);
  });

  test('names a library for another architecture, whatever the name of its file is', () => {
    writeFileSync(join(folder, 'lib/deep/data.bin'), X64);
    assert.throws(
      () => checkBinaries(folder, 'arm64'),
      /Not for arm64: lib\/deep\/data\.bin \(ELF machine 0x3e\)/,
    );
  });

  test('does not follow symbolic links', () => {
    writeFileSync(join(parent, 'outside'), X64);
    symlinkSync(join(parent, 'outside'), join(folder, 'link'));
    assert.deepEqual(
      findBinaries(folder).map(({ file }) => file),
      ['lib/node'],
    );
  });
});
