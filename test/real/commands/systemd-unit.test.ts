import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { CONTRIB } from '../../support/paths.ts';
import { needs } from '../peers/peers.ts';
import { runProgram } from '../support/program.ts';

const UNITS = ['porter.service', 'porter-checkout.service'].map((name) => join(CONTRIB, 'systemd', name));
/** Of `systemd-analyze security`: 0 is the best, 10 the worst. */
const MAX_EXPOSURE = 2.5;

describe('the units', { skip: needs('systemd') }, () => {
  for (const unit of UNITS) {
    test(`${basename(unit)} is accepted by systemd-analyze without warnings`, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'porter-unit-'));
      try {
        // The programs are not installed here, so one that exists takes their place.
        const text = readFileSync(unit, 'utf8')
          .replace(/^(Exec\w+)=.*$/gm, '$1=/bin/true')
          .replace(/^Documentation=.*$/m, '');
        const copy = join(folder, 'porter.service');
        await writeFile(copy, text);
        const { code, stdout, stderr } = await runProgram('systemd-analyze', ['verify', copy]);
        assert.deepEqual([code, stdout, stderr], [0, '', '']);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });

    test(`${basename(unit)} leaves an exposure below ${MAX_EXPOSURE}`, async () => {
      const { stdout } = await runProgram('systemd-analyze', ['security', '--offline=true', unit]);
      const exposure = /Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1];
      assert.ok(Number(exposure) < MAX_EXPOSURE, stdout.slice(-300));
    });
  }

  test('start only programs of Porter, and sh, which every system has', () => {
    for (const unit of UNITS) {
      const programs = [...readFileSync(unit, 'utf8').matchAll(/^Exec\w+=(\S+)/gm)].map(
        ([, path = '']) => path,
      );
      assert.ok(programs.length >= 3);
      for (const path of programs) assert.match(path, /^(\/bin\/sh|.*\/porter(\/.*)?)$/, unit);
    }
  });

  test('protect a checkout as the package: both units have the same protection', () => {
    const [packaged, checkout] = UNITS.map((unit) => {
      const text = readFileSync(unit, 'utf8');
      return text.slice(text.indexOf('NoNewPrivileges='), text.indexOf('[Install]'));
    });
    assert.ok(packaged !== undefined && packaged.length > 300);
    assert.equal(checkout, packaged);
  });
});
