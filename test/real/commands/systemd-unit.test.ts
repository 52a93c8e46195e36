import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { CONTRIB } from '../../support/paths.ts';
import { needs } from '../peers/peers.ts';
import { runProgram } from '../support/program.ts';

const UNIT = join(CONTRIB, 'systemd/porter.service');

test('systemd-analyze accepts the unit without warnings', { skip: needs('systemd') }, async () => {
  const { code, stdout, stderr } = await runProgram('systemd-analyze', ['verify', UNIT]);
  assert.deepEqual([code, stdout, stderr], [0, '', '']);
});
