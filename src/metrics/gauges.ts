import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client';

/** What lies in the store, as the ledger counts it. Bytes and rows. */
export interface StoreTotals {
  readonly uploads: number;
  readonly bytes: number;
  readonly pendingUploads: number;
  readonly pendingBytes: number;
  readonly owners: number;
}

export interface GaugeSources {
  /** Asked when somebody looks, and not more often than every five seconds. */
  readonly totals: () => Promise<StoreTotals>;
  /** What waits to be sent, by the name of its queue. */
  readonly queues: Readonly<Record<string, () => Promise<number>>>;
  /** Uploads and downloads that flow now. */
  readonly transfers: () => number;
  readonly version: string;
}

const FRESH_MS = 5000;

/**
 * Adds what is read off at the moment of looking: stored and pending files, transfers, the version, and this
 * process itself. Once per registry, and only in a process that serves.
 */
export function addGauges(registry: Registry, sources: GaugeSources): void {
  const registers = [registry];
  const totals = remembered(sources.totals, FRESH_MS);
  const total = (name: string, help: string, key: keyof StoreTotals) =>
    new Gauge({
      name: `porter_${name}`,
      help,
      // All processes count the same store.
      aggregator: 'first',
      registers,
      async collect() {
        // A ledger that is down must not hide the rest: /readyz tells of it.
        const value = await totals().catch(() => undefined);
        if (value) this.set(value[key]);
        else this.remove();
      },
    });
  total('stored_uploads', 'Stored files.', 'uploads');
  total('stored_bytes', 'Bytes of stored files.', 'bytes');
  total('pending_uploads', 'Slots that wait for their file or are receiving it.', 'pendingUploads');
  total('pending_bytes', 'Bytes that pending slots have reserved.', 'pendingBytes');
  total('owners', 'Users with files or slots.', 'owners');
  addQueues(registry, sources.queues);
  addTransfers(registry, sources.transfers);
  addBuild(registry, sources.version);
  addProcesses(registry);
  collectDefaultMetrics({ register: registry });
}

function addQueues(registry: Registry, queues: GaugeSources['queues']): void {
  new Gauge({
    name: 'porter_queued',
    help: 'What waits to be sent: messages to the XMPP server (outbox), stanzas to the callback.',
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
    help: 'Uploads and downloads that flow now.',
    registers: [registry],
    collect() {
      this.set(transfers());
    },
  });
}

function addBuild(registry: Registry, version: string): void {
  const build = new Gauge({
    name: 'porter_build_info',
    help: 'Always 1; the labels say what runs.',
    labelNames: ['version', 'node'],
    aggregator: 'first',
    registers: [registry],
  });
  build.set({ version, node: process.version }, 1);
}

function addProcesses(registry: Registry): void {
  new Gauge({
    name: 'porter_processes',
    help: 'Processes that serve HTTP here: what `workers` asks for, while all is well.',
    registers: [registry],
  }).set(1);
}

/** One answer for all who ask within `freshMs` milliseconds, and one question at a time. */
function remembered<T>(ask: () => Promise<T>, freshMs: number): () => Promise<T> {
  let answer: Promise<T> | undefined;
  let askedAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (answer === undefined || performance.now() - askedAt >= freshMs) {
      askedAt = performance.now();
      answer = ask();
    }
    return answer;
  };
}
