import { deepEqual, ok } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { growthFactorFor } from '../../../src/server/young-generation.ts';

const MODULE = new URL('../../../src/server/young-generation.ts', import.meta.url).href;

/** Creates objects of which many survive, as a server under load does, and prints the largest semi-space in MiB. */
const PROGRAM = `
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { limitYoungGeneration } from '${MODULE}';
setFlagsFromString('--semi-space-growth-factor=1');
if (process.argv[1] === 'limited') limitYoungGeneration();
const live = [];
let largest = 0;
for (let round = 0; round < 2000; round += 1) {
  for (let i = 0; i < 1000; i += 1) live[(round * 1000 + i) % 60_000] = { round, i: [i] };
  await new Promise((resolve) => setImmediate(resolve));
  const { space_used_size, space_available_size } = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
  largest = Math.max(largest, space_used_size + space_available_size);
}
console.log(Math.round(largest / 1024 / 1024));
`;

function largestSemiSpace(growth: 'limited' | 'none'): number {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', PROGRAM, growth]);
  if (stderr.length > 0) throw new Error(String(stderr));
  return Number(stdout);
}

test('the young generation grows under load', () => {
  const none = largestSemiSpace('none');
  const limited = largestSemiSpace('limited');
  ok(none < limited, `without growth ${none}, with it ${limited} MiB`);
});

test('the young generation stops growing at 4 MiB', () => {
  const pages = (count: number) => count * 255 * 1024;
  deepEqual(
    [4, 8, 16, 32, 64].map((count) => growthFactorFor(pages(count))),
    [2, 2, 1, 1, 1],
  );
});
