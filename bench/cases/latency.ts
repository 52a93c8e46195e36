import type { BenchEnvironment } from '../environment.ts';
import type { Latency, WrkRun } from '../load/wrk.ts';
import type { FileServer } from '../servers/file-server.ts';
import type { Case, Outcome, Row } from './case.ts';
import { CONNECTIONS, SMALL, storeFiles } from './files.ts';
import { readFiles } from './get.ts';
import { putEach, SPARE } from './put.ts';
import { serversFor } from './sizes.ts';

/** Runs once. Each connection pauses before each request, for `pauseMs` on average. */
type Load = (pauseMs: number) => Promise<WrkRun>;

const PERCENTILES = ['p50', 'p99', 'p999'] as const satisfies readonly (keyof Latency)[];
const LABELS: Readonly<Record<keyof Latency, string>> = { p50: 'p50', p99: 'p99', p999: 'p99.9' };

export const latencyGet: Case = {
  name: 'latency-get',
  title: `Time of a 10 KB GET at half load, ${CONNECTIONS} connections`,
  needs: ['wrk', 'nginx'],
  async measure(environment) {
    return await measureLatency(environment, async (server) => {
      const paths = await storeFiles(server, 1);
      return (pauseMs) => readFiles(environment, server, paths, pauseMs);
    });
  },
};

export const latencyPut: Case = {
  name: 'latency-put',
  title: `Time of a 10 KB PUT to signed links at half load, ${CONNECTIONS} connections`,
  needs: ['wrk', 'nginx'],
  async measure(environment) {
    // At half load, these PUTs take about as long as one run.
    const count = 2000 * environment.options.seconds;
    return await measureLatency(environment, async (server) => async (pauseMs) => {
      const slots = await server.slots(count + SPARE, SMALL);
      return await putEach(environment, server, slots, { count, size: SMALL, pauseMs });
    });
  },
};

/** Measures all servers with the same load: half of the maximum rate of Porter. */
async function measureLatency(
  environment: BenchEnvironment,
  prepare: (server: FileServer) => Promise<Load>,
): Promise<Outcome> {
  const servers = await serversFor(environment);
  const loads = await Promise.all(
    servers.map(async (server) => ({ ...server, load: await prepare(server), found: [] as Latency[] })),
  );
  const full = (await loads[0]?.load(0)) ?? { done: 0, seconds: 1 };
  const rate = full.done / full.seconds / 2;
  const pauseMs = Math.max(1, Math.round((CONNECTIONS / rate) * 1000));
  const rates: number[] = [];
  for (let round = 1; round <= environment.options.rounds; round += 1) {
    for (const { name, load, found } of loads) {
      environment.log(`  round ${round} of ${environment.options.rounds}: ${name}`);
      const { latency, done, seconds } = await load(pauseMs);
      found.push(latency);
      rates.push(done / seconds);
    }
  }
  const slowest = Math.round(Math.min(...rates)).toLocaleString('en');
  const fastest = Math.round(Math.max(...rates)).toLocaleString('en');
  return {
    unit: 'µs',
    rows: loads.flatMap(({ name, found }) => toRows(name, found)),
    notes: [
      `At ${slowest} to ${fastest} requests/s. Less is better, so a ratio above 1 means that Porter is slower.`,
    ],
  };
}

function toRows(name: string, found: readonly Latency[]): Row[] {
  return PERCENTILES.map((percentile) => ({
    name: `${name} ${LABELS[percentile]}`,
    isPorter: name === 'Porter',
    group: percentile,
    figures: found.map((latency) => latency[percentile]),
  }));
}
