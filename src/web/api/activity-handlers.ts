import { Refusal } from '../../base/errors.ts';
import { requestBaseUrl } from '../../http/common/client-info.ts';
import { type DailyCounts, type HookCall, KEEP_REFUSALS_MS } from '../../ledger/contract/ledger.ts';
import { sendHookTest } from '../../messages/hooks/send-test.ts';
import { forecastGrowth } from '../../uploads/activity/forecast-growth.ts';
import type { WebServices } from '../web-services.ts';
import { recordAction } from './audit.ts';
import type { Handlers } from './handlers.ts';
import { isoTime, presentRefusal } from './present.ts';
import type { activityRoutes } from './routes/activity-routes.ts';

const DAY_MS = 86_400_000;

export type ActivityRoute = keyof typeof activityRoutes | 'getStatus' | 'getHistory';

/** Handlers for admins: the current and recent state of the service. */
export function createActivityHandlers(services: WebServices): Handlers<ActivityRoute> {
  const { ledger, clock } = services;
  return {
    async getStatus() {
      return readStatus(services);
    },

    async getHistory({ query: { days } }) {
      const since = clock() - days * DAY_MS;
      const [samples, counts, growth] = await Promise.all([
        ledger.listUsageHistory({ since }),
        ledger.listDailyCounts({ since }),
        forecastGrowth(services),
      ]);
      return {
        samples: samples.map(({ at, files, bytes }) => ({ at: isoTime(at), files, bytes })),
        days: withEmptyDays(counts, clock()).map(({ day, ...rest }) => ({ day: isoTime(day), ...rest })),
        growthPerDay: growth === null ? null : Math.round(growth.bytesPerDay),
        fullAt: isoTime(growth?.fullAt ?? null),
      };
    },

    async listRefusals({ query: { limit } }) {
      const refusals = await ledger.listAllRefusals({ since: clock() - KEEP_REFUSALS_MS, limit });
      return {
        refusals: refusals.map((refusal) => ({ ...presentRefusal(refusal), owner: refusal.owner })),
      };
    },

    async listSweeps() {
      const sweeps = await ledger.listSweeps();
      return {
        sweeps: sweeps.map(({ id: _id, startedAt, ...rest }) => ({ startedAt: isoTime(startedAt), ...rest })),
      };
    },

    async listHooks() {
      const calls = new Map((await ledger.listHookCalls()).map((call) => [call.hook, call]));
      const hooks = services.hooks?.hooks().all ?? [];
      return {
        hooks: hooks.map(({ rule: { name, format, from, to } }) => {
          const call = calls.get(name);
          return { name, format, from, to: [...to], lastCall: call ? presentCall(call) : null };
        }),
      };
    },

    async testHook({ params: { name } }, { principal, client }) {
      const hook = services.hooks?.hooks().all.find(({ rule }) => rule.name === name);
      if (!services.hooks || !hook) throw new Refusal('not_found', { text: 'The config has no such hook.' });
      await recordAction(services, { principal, client }, 'test_hook', name);
      const { results } = await sendHookTest(services.hooks, hook, () => requestBaseUrl(client));
      return {
        results: results.map(({ to, state, refusal }) => ({ to, state, text: refusal?.message ?? null })),
      };
    },
  };
}

function presentCall({ at, status, address, program, refusal }: HookCall) {
  return { at: isoTime(at), status, address, program, refusal: refusal === '' ? null : refusal };
}

/** Adds the days without requests from the first day to today. */
function withEmptyDays(counts: readonly DailyCounts[], now: number): DailyCounts[] {
  const byDay = new Map(counts.map((one) => [one.day, one]));
  const first = counts[0]?.day ?? now;
  const days = Math.floor((now - first) / DAY_MS) + 1;
  return Array.from({ length: counts.length === 0 ? 0 : days }, (_, i) => {
    const day = first + i * DAY_MS;
    return byDay.get(day) ?? { day, uploads: 0, downloads: 0, refusals: 0 };
  });
}

/** Failed deletions are counted up to this number. */
const MAX_FAILED_DELETES = 1000;

/** Reads the totals, disks, streams and queues for the overview of admins. */
async function readStatus({ ledger, spaceReserve, overview }: WebServices) {
  const [stats, disks, streams, messages, callbacks, failedDeletes] = await Promise.all([
    ledger.stats(),
    spaceReserve.states(),
    overview.streams(),
    ledger.queueLength('outbox'),
    ledger.queueLength('callback'),
    ledger.failedDeletes(MAX_FAILED_DELETES),
  ]);
  return {
    version: overview.version,
    owners: stats.owners,
    files: stats.uploads,
    bytes: stats.bytes,
    pendingFiles: stats.pendingUploads,
    quotaBytes: overview.globalQuota(),
    disks: disks.map(({ store, isLow, space }) => ({ store, isLow, ...space })),
    streams: [...streams],
    queues: { messages, callbacks },
    failedDeletes: failedDeletes.length,
  };
}
