import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, startServerProgram } from '../support/ports.ts';
import type { Program } from '../support/program.ts';

export interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** When the alert is resolved; ISO 8601. */
  readonly endsAt?: string;
}

/** The Prometheus Alertmanager, which sends each group of alerts without delay. */
export interface Alertmanager {
  readonly program: Program;
  /** Posts alerts like Prometheus. */
  postAlerts(alerts: readonly Alert[]): Promise<void>;
}

/** Starts Alertmanager with `hook` as its webhook and `token` as bearer token. Stores its files in `folder`. */
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
