import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { CONTRIB } from '../../support/paths.ts';
import { needs } from '../peers/peers.ts';
import { createTemporaryFolder, type PorterProcess, startPorter } from '../support/porter-process.ts';
import { runProgram } from '../support/program.ts';

const RULES = join(CONTRIB, 'monitoring/porter.rules.yml');
const DASHBOARD = join(CONTRIB, 'monitoring/porter.dashboard.json');

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}

/** Returns the names of metrics in a PromQL expression, without the suffixes of histograms. */
function metricsIn(expression: string): string[] {
  const names = expression.match(/\b(?:porter|process|nodejs)_\w+/g) ?? [];
  return names.map((name) => name.replace(/_seconds_(?:bucket|sum|count)$/, '_seconds'));
}

async function dashboardExpressions(): Promise<string[]> {
  const { panels } = JSON.parse(await readFile(DASHBOARD, 'utf8')) as Dashboard;
  return panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
}

async function promtool(...args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await runProgram('promtool', args);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' }, stdout);
}

describe('What Porter offers to Prometheus and Grafana', { skip: needs('promtool') }, () => {
  let porter: PorterProcess;
  let metrics: string;
  before(async () => {
    porter = await startPorter({ config: { metrics: { allow_from: ['127.0.0.0/8'] } } });
    metrics = (await httpRequest(`${porter.url}/metrics`)).text;
  });
  after(() => porter?.remove());

  test('the metrics follow the conventions that promtool checks', async () => {
    const file = join(porter.folder, 'metrics.txt');
    await writeFile(file, metrics);
    await promtoolOnStdin(file);
  });

  test('the alert rules fire and stay silent as promtool simulates it', async () => {
    await promtool('check', 'rules', RULES);
    await promtool('test', 'rules', join(import.meta.dirname, 'porter.rules.test.yml'));
  });

  test('every expression of the dashboard is valid PromQL', async () => {
    const folder = await createTemporaryFolder();
    try {
      const expressions = await dashboardExpressions();
      const rules = expressions.map((expr, index) => ({
        record: `panel:${index}`,
        // Grafana fills in its variables.
        expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$job', 'porter'),
      }));
      const file = join(folder, 'dashboard.yml');
      await writeFile(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
      await promtool('check', 'rules', file);
      assert.ok(expressions.length > 20);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('the rules and the dashboard use only metrics that a server has', async () => {
    const served = new Set(metrics.match(/^# TYPE \S+/gm)?.map((line) => line.slice('# TYPE '.length)));
    const used = [...(await dashboardExpressions()), await readFile(RULES, 'utf8')].flatMap(metricsIn);
    assert.deepEqual(
      used.filter((name) => !served.has(name)),
      [],
    );
  });

  /** `promtool check metrics` reads standard input. */
  async function promtoolOnStdin(file: string): Promise<void> {
    const { code, stdout, stderr } = await runProgram('sh', ['-c', 'promtool check metrics < "$0"', file]);
    assert.deepEqual({ code, complaints: stdout + stderr }, { code: 0, complaints: '' });
  }
});
