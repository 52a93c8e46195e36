import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, startServerProgram } from '../support/ports.ts';
import type { Program } from '../support/program.ts';

export interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** From then on it is over; ISO 8601. */
  readonly endsAt?: string;
}

/** Prometheus's own Alertmanager, which tells each group of alerts at once. */
export interface Alertmanager {
  readonly program: Program;
  /** As Prometheus posts them. */
  postAlerts(alerts: readonly Alert[]): Promise<void>;
}

/** Posts to `hook`; with `token` as a bearer. Keeps its things in `folder`. */
export async function startAlertmanager(folder: string, hook: string, token?: string): Promise<Alertmanager> {
  const port = await freePort();
  const file = join(folder, 'alertmanager.yml');
  const http_config = token === undefined ? {} : { authorization: { credentials: token } };
  const config = {
    route: { receiver: 'xmpp', group_by: ['alertname'], group_wait: '0s', group_interval: '1s' },
    receivers: [{ name: 'xmpp', webhook_configs: [{ url: hook, http_config }] }],
  };
  await writeFile(file, JSON.stringify(config));
  const program = await startServerProgram([port], 'prometheus-alertmanager', [
    `--config.file=${file}`,
    `--storage.path=${join(folder, 'alertmanager')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--cluster.listen-address=',
    '--log.level=debug',
  ]);
  return {
    program,
    async postAlerts(alerts) {
      const response = await fetch(`http://127.0.0.1:${port}/api/v2/alerts`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(alerts),
      });
      if (!response.ok) throw new Error(`alertmanager: ${response.status} ${await response.text()}`);
    },
  };
}
