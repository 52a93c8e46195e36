import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createServerFolder, startWebServer, type WebServer } from './web-server.ts';

/** Starts lighttpd with this snippet on `port`. */
export async function startLighttpd(port: number, snippet: string): Promise<WebServer> {
  const folder = await createServerFolder('lighttpd');
  const config = join(folder, 'lighttpd.conf');
  const base = [
    `server.document-root = "${folder}"`,
    `server.upload-dirs = ("${folder}")`,
    'server.bind = "127.0.0.1"',
    `server.port = ${port}`,
  ];
  await writeFile(config, `${base.join('\n')}\n${snippet}`);
  return startWebServer({
    command: 'lighttpd',
    args: ['-D', '-f', config],
    check: ['-tt', '-f', config],
    folder,
    port,
  });
}
