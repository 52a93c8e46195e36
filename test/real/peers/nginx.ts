import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createServerFolder, startWebServer, type WebServer } from './web-server.ts';

/** Starts nginx with these `server` blocks, one of which listens on `port`. */
export async function startNginx(port: number, servers: string): Promise<WebServer> {
  const folder = await createServerFolder('nginx');
  const config = join(folder, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  await writeFile(
    config,
    `
${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
pid ${folder}/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  ${temporary.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join('\n  ')}
  ${servers}
}
`,
  );
  const args = ['-p', folder, '-e', 'stderr', '-c', config];
  return startWebServer({ command: 'nginx', args, check: [...args, '-t'], folder, port });
}
