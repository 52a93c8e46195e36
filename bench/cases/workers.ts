import type { BenchEnvironment } from '../environment.ts';
import { measureRounds } from '../rounds.ts';
import type { Case } from './case.ts';
import { CONNECTIONS } from './files.ts';
import { smallReaders } from './get.ts';
import { slotTakers } from './slots.ts';

const NOTES = ['wrk runs on the same cores, so its CPU time is missing for the workers.'];

export const workersGet: Case = {
  name: 'workers-get',
  title: `10 KB GET, one file, ${CONNECTIONS} connections, by one process and by two`,
  needs: ['wrk'],
  async measure(environment) {
    const rows = await measureRounds(
      environment,
      await smallReaders(environment, await both(environment), 1),
    );
    return { unit: 'requests/s', rows, notes: NOTES };
  },
};

export const workersSlots: Case = {
  name: 'workers-slots',
  title: `Slots by the slot API, ${CONNECTIONS} connections, by one process and by two`,
  needs: ['wrk'],
  async measure(environment) {
    const rows = await measureRounds(environment, slotTakers(environment, await both(environment)));
    return { unit: 'slots/s', rows, notes: NOTES };
  },
};

const both = async (environment: BenchEnvironment) => [
  await environment.porter(),
  await environment.porterWithWorkers(2),
];
