import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createServerFolder, startWebServer, type WebServer } from './web-server.ts';

/** Starts HAProxy with this config, in which a frontend listens on `port`. */
export async function startHaproxy(port: number, text: string): Promise<WebServer> {
  const folder = await createServerFolder('haproxy');
  const config = join(folder, 'haproxy.cfg');
  await writeFile(config, text);
  const args = ['-db', '-f', config];
  return startWebServer({ command: 'haproxy', args, check: [...args, '-c'], folder, port });
}
