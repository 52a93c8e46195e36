import type { BenchEnvironment } from '../environment.ts';
import { measureRounds } from '../rounds.ts';
import type { Case } from './case.ts';
import { CONNECTIONS } from './files.ts';
import { smallReaders } from './get.ts';
import { slotTakers } from './slots.ts';

const NOTES = ['The load runs on the same cores: what wrk uses, no worker can.'];

export const workersGet: Case = {
  name: 'workers-get',
  title: `10 KB GET, one file, ${CONNECTIONS} connections, by one process and by two`,
  needs: ['wrk'],
  async measure(world) {
    const rows = await measureRounds(world, await smallReaders(world, await both(world), 1));
    return { unit: 'requests/s', rows, notes: NOTES };
  },
};

export const workersSlots: Case = {
  name: 'workers-slots',
  title: `Slots by the slot API, ${CONNECTIONS} connections, by one process and by two`,
  needs: ['wrk'],
  async measure(world) {
    const rows = await measureRounds(world, slotTakers(world, await both(world)));
    return { unit: 'slots/s', rows, notes: NOTES };
  },
};

const both = async (world: BenchEnvironment) => [await world.porter(), await world.porterWithWorkers(2)];
