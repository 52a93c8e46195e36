import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { createAddressMatcher } from '../../../src/base/addresses.ts';
import { createLog } from '../../../src/base/log.ts';
import { healthEndpoints } from '../../../src/http/listener/health-endpoints.ts';
import { HttpServer } from '../../../src/http/listener/http-server.ts';
import { createReadiness, type ReadinessCheck } from '../../../src/http/listener/readiness.ts';
import { createRouter } from '../../../src/http/listener/router.ts';
import { addGauges, type StoreTotals } from '../../../src/metrics/gauges.ts';
import { createMetrics, type Metrics } from '../../../src/metrics/metrics.ts';
import { sendRequest } from '../../support/http.ts';

const log = createLog({ level: 'silent', format: 'json' });
const LOOPBACK = createAddressMatcher(['127.0.0.0/8']);
const TOTALS = { uploads: 3, bytes: 4096, pendingUploads: 2, pendingBytes: 77, owners: 1 };

interface Options {
  readonly checks?: readonly ReadinessCheck[];
  readonly metrics?: Metrics;
  readonly metricsFrom?: (address: string | undefined) => boolean;
}

async function start(
  t: TestContext,
  { checks = [], metrics = createMetrics(), metricsFrom = LOOPBACK }: Options = {},
) {
  const settings = { metricsAllowFrom: metricsFrom, trustedProxies: LOOPBACK };
  const deps = {
    metrics,
    readiness: createReadiness(log, checks),
    version: '1.2.3',
    settings: () => settings,
  };
  const app = await createRouter({ log, clock: Date.now }, [healthEndpoints(deps, '/metrics')]);
  const nothing = { owns: () => false, handle: () => undefined, handleContinue: () => undefined };
  const server = new HttpServer(
    { log, dataPlane: nothing, route: app.routing },
    { listen: [{ host: '127.0.0.1', port: 0 }], baseUrls: [] },
  );
  await server.start();
  t.after(async () => {
    await server.stop({ graceMs: 0 });
    await app.close();
  });
  const [address] = server.addresses;
  const at = { host: '127.0.0.1', port: address !== undefined && 'port' in address ? address.port : 0 };
  return (path: string, options = {}) => sendRequest(at, path, options);
}

/** Sample lines of the Prometheus text format by name and labels; throws on a malformed line. */
function readMetrics(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ') || line.startsWith('# TYPE ')) continue;
    const match = /^([a-z_:][a-z0-9_:]*(?:\{(?:[a-z_]+="[^"\\]*",?)*\})?) (\S+)$/i.exec(line);
    assert.ok(match, `not a sample: ${line}`);
    const value = match[2] ?? '';
    assert.match(value, /^(?:[+-]?Inf|NaN|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/i, line);
    samples.set(match[1] ?? '', Number(value));
  }
  return samples;
}

describe('the probes', () => {
  test('report that the process is alive, and whether all its dependencies work', async (t) => {
    const ask = await start(t, {
      checks: [
        {
          part: 'ledger',
          failureText: () => 'The ledger does not answer.',
          slowText: 'The ledger is slow.',
          check: () => Promise.reject(new Error('x')),
        },
      ],
    });
    assert.equal((await ask('/healthz')).status, 200);
    const reply = await ask('/readyz');
    assert.equal(reply.status, 503);
    assert.match(reply.headers['content-type'] ?? '', /^application\/json/);
    assert.deepEqual(JSON.parse(reply.text), {
      ready: false,
      reasons: [{ part: 'ledger', reason: 'The ledger does not answer.' }],
      slow: [],
    });
  });

  test('are 200 with a reason if a dependency is slow, so that no balancer takes the instance out', async (t) => {
    const isOverload = () => true;
    const check = () => Promise.reject(new Error('SlowDown'));
    const ask = await start(t, {
      checks: [
        { part: 'blobs', failureText: () => '', slowText: 'The blob store is slow.', check, isOverload },
      ],
    });
    const reply = await ask('/readyz');
    assert.equal(reply.status, 200);
    assert.deepEqual(JSON.parse(reply.text), {
      ready: true,
      reasons: [],
      slow: [{ part: 'blobs', reason: 'The blob store is slow.' }],
    });
  });

  test('are 200 if all dependencies work, also for HEAD', async (t) => {
    const ask = await start(t);
    assert.equal((await ask('/readyz')).status, 200);
    const head = await ask('/healthz', { method: 'HEAD' });
    assert.deepEqual([head.status, head.text], [200, '']);
  });
});

describe('the metrics', () => {
  test('are in the Prometheus text format, with the store, the transfers and this process', async (t) => {
    const metrics = createMetrics();
    addGauges(metrics.registry, {
      totals: async () => TOTALS,
      queues: { outbox: async () => 5, callback: () => Promise.reject(new Error('away')) },
      transfers: () => 4,
      connections: () => 0,
      disks: async () => [{ store: 'blobs', space: { free: 9000, freeFiles: 70 }, isLow: true }],
      version: '1.2.3',
    });
    metrics.requestRefused('slot_api', 'denied');
    metrics.setStreamUp('upload.example.org', true);
    const reply = await (await start(t, { metrics }))('/metrics');
    assert.equal(reply.status, 200);
    assert.match(reply.headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/);
    const samples = readMetrics(reply.text);
    assert.equal(samples.get('porter_stored_uploads'), 3);
    assert.equal(samples.get('porter_stored_bytes'), 4096);
    assert.equal(samples.get('porter_pending_uploads'), 2);
    assert.equal(samples.get('porter_pending_bytes'), 77);
    assert.equal(samples.get('porter_owners'), 1);
    assert.equal(samples.get('porter_queued{queue="outbox"}'), 5);
    assert.equal(samples.has('porter_queued{queue="callback"}'), false);
    assert.equal(samples.get('porter_transfers'), 4);
    assert.equal(samples.get('porter_disk_free_bytes{store="blobs"}'), 9000);
    assert.equal(samples.get('porter_disk_free_files{store="blobs"}'), 70);
    assert.equal(samples.get('porter_disk_below_reserve{store="blobs"}'), 1);
    assert.equal(samples.get('porter_stream_up{jid="upload.example.org"}'), 1);
    assert.equal(samples.get('porter_refusals_total{endpoint="slot_api",reason="denied"}'), 1);
    assert.equal(samples.get(`porter_build_info{version="1.2.3",node="${process.version}"}`), 1);
    assert.ok((samples.get('process_resident_memory_bytes') ?? 0) > 0);
  });

  test('query the ledger once for many requests, and are available while it is down', async (t) => {
    const metrics = createMetrics();
    let asked = 0;
    const totals = async (): Promise<StoreTotals> => {
      asked += 1;
      throw new Error('down');
    };
    addGauges(metrics.registry, {
      totals,
      queues: {},
      transfers: () => 0,
      connections: () => 0,
      disks: async () => [],
      version: '1.2.3',
    });
    const ask = await start(t, { metrics });
    const replies = await Promise.all(Array.from({ length: 20 }, () => ask('/metrics')));
    for (const reply of replies) {
      assert.equal(reply.status, 200);
      assert.equal(readMetrics(reply.text).has('porter_stored_bytes'), false);
    }
    assert.equal(asked, 1);
  });

  test('are available only to addresses in allow_from', async (t) => {
    const ask = await start(t);
    assert.equal((await ask('/metrics')).status, 200);
    assert.equal((await ask('/metrics', { headers: { 'x-forwarded-for': '192.0.2.66' } })).status, 403);
    const closed = await start(t, { metricsFrom: createAddressMatcher([]) });
    assert.equal((await closed('/metrics')).status, 403);
  });
});

describe('the start page', () => {
  test('describes the service, excludes robots, and has an empty 404 for other paths', async (t) => {
    const ask = await start(t);
    assert.match((await ask('/')).text, /Porter 1\.2\.3/);
    assert.match((await ask('/robots.txt')).text, /Disallow: \//);
    for (const path of ['/favicon.ico', '/nothing', '/%zz', '/files', '/../etc/passwd', '/healthz/x']) {
      const reply = await ask(path);
      assert.equal(reply.text, path === '/%zz' ? reply.text : '', path);
      assert.equal(reply.status, path === '/%zz' ? 400 : 404, path);
    }
    const post = await ask('/nothing', { method: 'POST' });
    assert.equal(post.status, 404);
    assert.match(post.text, /Not found/);
  });

  test('does not reveal the server software', async (t) => {
    const { headers } = await (await start(t))('/');
    assert.equal(headers.server, undefined);
    assert.equal(headers['x-powered-by'], undefined);
  });
});
