import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createServerFolder, startWebServer, type WebServer } from './web-server.ts';

/** Starts Caddy with these sites on `port`, without automatic certificates and with all files in its folder. */
export async function startCaddy(port: number, sites: string): Promise<WebServer> {
  const folder = await createServerFolder('caddy');
  const config = join(folder, 'Caddyfile');
  await writeFile(
    config,
    `{
	admin off
	auto_https off
	https_port ${port}
}
${sites}`,
  );
  const options = ['--config', config, '--adapter', 'caddyfile'];
  return startWebServer({
    command: 'caddy',
    args: ['run', ...options],
    check: ['validate', ...options],
    env: { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
    folder,
    port,
  });
}
