import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client';
import { memoizeFor } from '../base/async.ts';

/** Totals of the ledger: numbers of rows, and bytes. */
export interface StoreTotals {
  readonly uploads: number;
  readonly bytes: number;
  readonly pendingUploads: number;
  readonly pendingBytes: number;
  readonly owners: number;
}

export interface GaugeSources {
  /** Called when the metrics are read, at most every five seconds. */
  readonly totals: () => Promise<StoreTotals>;
  /** The number of queued items, by the name of the queue. */
  readonly queues: Readonly<Record<string, () => Promise<number>>>;
  /** Uploads and downloads in progress. */
  readonly transfers: () => number;
  /** Open connections of HTTP clients. */
  readonly connections: () => number;
  /** The file systems of blobs and ledger that are on this machine. */
  readonly disks: () => Promise<readonly DiskFigures[]>;
  readonly version: string;
}

export interface DiskFigures {
  readonly store: string;
  readonly space: { readonly free: number; readonly freeFiles: number };
  /** True if the disk has less free space than `storage.reserve`. */
  readonly isLow: boolean;
}

const FRESH_MS = 5000;

/**
 * Adds the metrics that are computed when they are read: stored and pending files, queues, transfers, the version and the process.
 * Called once per registry, in processes that serve HTTP.
 */
export function addGauges(registry: Registry, sources: GaugeSources): void {
  const registers = [registry];
  const totals = memoizeFor(FRESH_MS, sources.totals);
  const total = (name: string, help: string, key: keyof StoreTotals) =>
    new Gauge({
      name: `porter_${name}`,
      help,
      // All processes have the same ledger, so one value is enough.
      aggregator: 'first',
      registers,
      async collect() {
        // If the ledger is down, the other metrics are still served; /readyz reports the failure.
        const value = await totals().catch(() => undefined);
        if (value) this.set(value[key]);
        else this.remove();
      },
    });
  total('stored_uploads', 'Stored files.', 'uploads');
  total('stored_bytes', 'Bytes of stored files.', 'bytes');
  total('pending_uploads', 'Slots without a complete file.', 'pendingUploads');
  total('pending_bytes', 'Bytes reserved by pending slots.', 'pendingBytes');
  total('owners', 'Users with files or slots.', 'owners');
  addQueues(registry, sources.queues);
  addTransfers(registry, sources.transfers);
  addConnections(registry, sources.connections);
  addDisks(registry, sources.disks);
  addBuild(registry, sources.version);
  addProcesses(registry);
  addNodeMetrics(registry);
}

/** Adds the default metrics of prom-client, except gauges with names of counters, which are sums of other metrics. */
function addNodeMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  for (const kind of ['handles', 'requests', 'resources'])
    registry.removeSingleMetric(`nodejs_active_${kind}_total`);
}

function addQueues(registry: Registry, queues: GaugeSources['queues']): void {
  new Gauge({
    name: 'porter_queued',
    help: 'Queued items: messages to the XMPP server (outbox) and stanzas to the callback.',
    labelNames: ['queue'],
    aggregator: 'first',
    registers: [registry],
    async collect() {
      for (const [queue, count] of Object.entries(queues)) {
        const value = await count().catch(() => undefined);
        if (value === undefined) this.remove({ queue });
        else this.set({ queue }, value);
      }
    },
  });
}

function addTransfers(registry: Registry, transfers: () => number): void {
  new Gauge({
    name: 'porter_transfers',
    help: 'Uploads and downloads in progress.',
    registers: [registry],
    collect() {
      this.set(transfers());
    },
  });
}

function addConnections(registry: Registry, connections: () => number): void {
  new Gauge({
    name: 'porter_open_connections',
    help: 'Open connections of HTTP clients, idle ones included.',
    registers: [registry],
    collect() {
      this.set(connections());
    },
  });
}

function addDisks(registry: Registry, disks: GaugeSources['disks']): void {
  const add = (name: string, help: string, figure: (disk: DiskFigures) => number) =>
    new Gauge({
      name: `porter_disk_${name}`,
      help,
      labelNames: ['store'],
      // All workers have the same disks.
      aggregator: 'first',
      registers: [registry],
      async collect() {
        this.reset();
        for (const disk of await disks().catch(() => [])) this.set({ store: disk.store }, figure(disk));
      },
    });
  add('free_bytes', 'Free bytes of the disk of the `blobs` and of the `ledger`.', ({ space }) => space.free);
  add('free_files', 'Files (inodes) that can still be created there.', ({ space }) => space.freeFiles);
  add(
    'below_reserve',
    'Whether the disk has less than `storage.reserve`, so that uploads get 507: 1 or 0.',
    ({ isLow }) => (isLow ? 1 : 0),
  );
}

function addBuild(registry: Registry, version: string): void {
  const build = new Gauge({
    name: 'porter_build_info',
    help: 'Always 1; the labels have the versions of Porter and Node.js.',
    labelNames: ['version', 'node'],
    aggregator: 'first',
    registers: [registry],
  });
  build.set({ version, node: process.version }, 1);
}

function addProcesses(registry: Registry): void {
  new Gauge({
    name: 'porter_processes',
    help: 'Processes that serve HTTP on this machine; normally the number of workers.',
    registers: [registry],
  }).set(1);
}
