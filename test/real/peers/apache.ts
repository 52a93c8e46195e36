import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createServerFolder, startWebServer, type WebServer } from './web-server.ts';

/** The modules that Debian enables by default, and those that the snippet requires. */
const MODULES = [
  'mpm_event',
  'authz_core',
  'reqtimeout',
  'proxy',
  'proxy_http',
  'headers',
  'ssl',
  'socache_shmcb',
];

/** Starts Apache with these virtual hosts, one of which listens on `port`. */
export async function startApache(port: number, hosts: string): Promise<WebServer> {
  const folder = await createServerFolder('apache');
  const config = join(folder, 'apache.conf');
  const modules = MODULES.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`);
  await writeFile(
    config,
    `
ServerRoot ${folder}
DefaultRuntimeDir ${folder}
PidFile ${folder}/apache.pid
ErrorLog ${folder}/error.log
ServerName localhost
User www-data
Group www-data
Listen 127.0.0.1:${port}
${modules.join('\n')}
${hosts}
`,
  );
  const args = ['-f', config, '-DFOREGROUND'];
  return startWebServer({ command: 'apache2', args, check: ['-f', config, '-t'], folder, port });
}
