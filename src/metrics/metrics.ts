import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type ErrorCode, errorTable } from '../base/errors.ts';
import type { Endpoint, RemovalReason } from '../base/upload-records.ts';

const ENDPOINTS: Readonly<Record<Endpoint, true>> = {
  component: true,
  slot_api: true,
  external: true,
  file_share: true,
  messages: true,
  admin: true,
  import: true,
  web: true,
};
const REMOVAL_REASONS: Readonly<Record<RemovalReason, true>> = {
  unused: true,
  expired: true,
  soft_quota: true,
  evicted: true,
  deleted: true,
  forgotten: true,
  missing: true,
};
const ERROR_CODES = Object.keys(errorTable);

/**
 * The values of each label. Any other value becomes `other`: each value adds a time series that is kept until the process ends, and
 * clients or servers could choose any number of values.
 */
export const LABEL_VALUES = {
  endpoint: new Set(Object.keys(ENDPOINTS)),
  refusal: new Set(ERROR_CODES),
  removal: new Set(Object.keys(REMOVAL_REASONS)),
  drop: new Set(['total_limit', 'client_limit', 'made_room']),
  /** RFC 6121, section 5.2.2. */
  messageType: new Set(['chat', 'normal', 'headline', 'groupchat', 'error']),
  messageOutcome: new Set(['sent', 'queued', 'given_up', ...ERROR_CODES]),
  thumbnail: new Set(['made', 'damaged', 'gave_up', 'unread', 'unusable']),
  callbackOutcome: new Set(['taken', 'failed', 'given_up']),
  scanResult: new Set(['clean', 'infected', 'too_large', 'unavailable']),
} as const;

function labelValue(set: keyof typeof LABEL_VALUES, value: string): string {
  const values: ReadonlySet<string> = LABEL_VALUES[set];
  return values.has(value) ? value : 'other';
}

/** Counters and histograms of this process for Prometheus. Durations in milliseconds, sizes in bytes. */
export interface Metrics {
  readonly registry: Registry;
  slotGranted(endpoint: Endpoint, ms: number): void;
  uploadStored(endpoint: Endpoint, bytes: number, ms: number): void;
  downloadServed(bytes: number): void;
  /** `ms`: the scan for malware, including the wait for the scanner. */
  fileScanned(result: 'clean' | 'infected' | 'too_large' | 'unavailable', ms: number): void;
  /** Counts an attempt to make a thumbnail. */
  thumbnailMade(result: 'made' | 'damaged' | 'gave_up' | 'unread' | 'unusable', ms: number): void;
  /** Counts an answer with a thumbnail. It does not count as a download. */
  thumbnailServed(bytes: number): void;
  requestRefused(endpoint: Endpoint, code: ErrorCode): void;
  /** Counts one message by its type, which the sender chooses, and its outcome. */
  messagePosted(type: string, outcome: 'sent' | 'queued' | 'given_up' | ErrorCode): void;
  /** Counts one attempt to pass a stanza to the callback; `failed` attempts are retried. */
  callbackAttempted(outcome: 'taken' | 'failed' | 'given_up'): void;
  /** Counts a connection that a limit has closed. */
  connectionDropped(reason: 'total_limit' | 'client_limit' | 'made_room'): void;
  uploadsRemoved(reason: RemovalReason, uploads: number, bytes: number): void;
  /** Counts failed attempts to delete the bytes of removed uploads. */
  deletionsFailed(files: number): void;
  sweepFinished(ms: number): void;
  /** Sets whether the component stream of this configured JID is up. Null removes the metric, because another process has the stream. */
  setStreamUp(jid: string, up: boolean | null): void;
  /** Milliseconds by which the clock of this component's XMPP server is ahead of this machine's. */
  setClockSkew(jid: string, ms: number): void;
  /** Milliseconds by which the clock of the database is ahead of the clock of this process. */
  setLedgerClockSkew(ms: number): void;
  /** Returns the numbers of requests of this process since its start, without test uploads of the doctor. */
  requestTotals(): Promise<RequestTotals>;
}

/** Stored uploads, completed downloads, and refused requests of every kind. */
export interface RequestTotals {
  readonly uploads: number;
  readonly downloads: number;
  readonly refusals: number;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600];

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name: `porter_${name}`, help, labelNames, registers });
  const histogram = (name: string, help: string, labelNames: string[] = []) =>
    new Histogram({ name: `porter_${name}`, help, labelNames, buckets: SECONDS, registers });

  const slots = histogram('slot_seconds', 'Time to grant a slot.', ['endpoint']);
  const puts = histogram('put_seconds', 'Time from the claim of a PUT to its 201 answer.', ['endpoint']);
  const uploaded = counter('uploaded_bytes_total', 'Bytes of stored uploads.', ['endpoint']);
  const downloads = counter('downloads_total', 'Completed answers to downloads.');
  const downloaded = counter('downloaded_bytes_total', 'Bytes of downloads.');
  const scans = histogram(
    'scan_seconds',
    'Time to scan a file for malware, by result, including the wait for clamd.',
    ['result'],
  );
  const thumbnails = histogram('thumbnail_seconds', 'Time to make a thumbnail, by result.', ['result']);
  const servedThumbnails = counter('thumbnails_total', 'Answers with a thumbnail.');
  const thumbnailBytes = counter('thumbnail_bytes_total', 'Bytes of thumbnails that were sent.');
  const refusals = counter('refusals_total', 'Refused requests by reason.', ['endpoint', 'reason']);
  const messages = counter('messages_total', 'Messages by type and outcome.', ['type', 'outcome']);
  const callbacks = counter('callbacks_total', 'Attempts to pass a stanza to the callback, by outcome.', [
    'outcome',
  ]);
  const drops = counter(
    'dropped_connections_total',
    'Connections that were closed because of a limit, by reason.',
    ['reason'],
  );
  const removals = counter('removed_uploads_total', 'Removed slots and uploads by reason.', ['reason']);
  const removedBytes = counter('removed_bytes_total', 'Bytes of removed uploads by reason.', ['reason']);
  const failedDeletes = counter(
    'failed_deletes_total',
    'Failed attempts to delete the bytes of a removed file. They are repeated.',
  );
  const sweeps = histogram('sweep_seconds', 'Duration of a sweep.');
  const skews = new Gauge({
    name: 'porter_stream_clock_skew_seconds',
    help: 'Seconds by which the clock of the XMPP server is ahead of this machine.',
    labelNames: ['jid'],
    aggregator: 'first',
    registers,
  });
  const ledgerSkew = new Gauge({
    name: 'porter_ledger_clock_skew_seconds',
    help: 'Seconds by which the clock of the database is ahead of this machine; 0 with SQLite.',
    aggregator: 'first',
    registers,
  });
  const streams = new Gauge({
    name: 'porter_stream_up',
    help: 'Whether the component stream is up: 1 or 0. Only in the process that has the stream.',
    labelNames: ['jid'],
    aggregator: 'max',
    registers,
  });

  return {
    registry,
    slotGranted: (endpoint, ms) => slots.observe({ endpoint: labelValue('endpoint', endpoint) }, ms / 1000),
    uploadStored(givenEndpoint, bytes, ms) {
      const endpoint = labelValue('endpoint', givenEndpoint);
      puts.observe({ endpoint }, ms / 1000);
      uploaded.inc({ endpoint }, bytes);
    },
    downloadServed(bytes) {
      downloads.inc();
      downloaded.inc(bytes);
    },
    fileScanned: (result, ms) => scans.observe({ result: labelValue('scanResult', result) }, ms / 1000),
    thumbnailMade: (result, ms) => thumbnails.observe({ result: labelValue('thumbnail', result) }, ms / 1000),
    thumbnailServed(bytes) {
      servedThumbnails.inc();
      thumbnailBytes.inc(bytes);
    },
    requestRefused: (endpoint, code) =>
      refusals.inc({ endpoint: labelValue('endpoint', endpoint), reason: labelValue('refusal', code) }),
    messagePosted: (type, outcome) =>
      messages.inc({
        type: labelValue('messageType', type),
        outcome: labelValue('messageOutcome', outcome),
      }),
    callbackAttempted: (outcome) => callbacks.inc({ outcome: labelValue('callbackOutcome', outcome) }),
    connectionDropped: (reason) => drops.inc({ reason: labelValue('drop', reason) }),
    uploadsRemoved(givenReason, uploads, bytes) {
      const reason = labelValue('removal', givenReason);
      removals.inc({ reason }, uploads);
      removedBytes.inc({ reason }, bytes);
    },
    deletionsFailed: (files) => failedDeletes.inc(files),
    sweepFinished: (ms) => sweeps.observe(ms / 1000),
    setStreamUp(jid, up) {
      if (up !== null) return streams.set({ jid }, up ? 1 : 0);
      streams.remove({ jid });
      skews.remove({ jid });
    },
    setClockSkew: (jid, ms) => skews.set({ jid }, ms / 1000),
    setLedgerClockSkew: (ms) => ledgerSkew.set(ms / 1000),
    async requestTotals() {
      const [stored, served, refused] = await Promise.all([puts.get(), downloads.get(), refusals.get()]);
      const ofUsers = stored.values.filter(
        (value) => value.metricName?.endsWith('_count') && isOfUser(value),
      );
      return {
        uploads: sumValues(ofUsers),
        downloads: sumValues(served.values),
        refusals: sumValues(refused.values.filter(isOfUser)),
      };
    },
  };
}

const sumValues = (values: readonly { readonly value: number }[]) =>
  values.reduce((sum, { value }) => sum + value, 0);

/** Returns false for test uploads of porter doctor. */
const isOfUser = ({ labels }: { readonly labels: { readonly endpoint?: unknown } }) =>
  labels.endpoint !== 'admin';
