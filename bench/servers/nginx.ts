import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomId } from '../../src/base/ids.ts';
import { arePortsOpen, freePort } from '../../test/real/support/ports.ts';
import { Program } from '../../test/real/support/program.ts';
import type { CertificateFiles } from '../../test/support/self-signed-certificate.ts';
import { FILE_TYPE, type FileServer } from './file-server.ts';

/**
 * nginx with one worker, `sendfile` and `tcp_nopush` as Debian sets them, connections kept; PUT by its own WebDAV
 * module. No `open_file_cache`: the measurement beside prosody-filer was made without. With `tls` it serves HTTPS only.
 */
export async function nginxServer(parent: string, tls?: CertificateFiles): Promise<FileServer> {
  const folder = await mkdtemp(join(parent, 'nginx-'));
  const files = join(folder, 'files');
  await mkdir(files);
  const port = await freePort();
  const config = join(folder, 'nginx.conf');
  await writeFile(config, configOf(folder, files, port, tls));
  const program = new Program('nginx', ['-p', folder, '-e', 'stderr', '-c', config]);
  await program.waitFor(`port ${port}`, () => arePortsOpen([port]));
  return {
    name: 'nginx',
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    ...(tls && { ca: await readFile(tls.cert, 'utf8') }),
    files,
    pid: program.pid,
    slots: async (count) => Array.from({ length: count }, freshSlot),
  };
}

/** PUTs to this path are read and discarded, to measure the speed of the client. */
export const DISCARD_PATH = '/thrown-away';

/** Uses the folder layout of Porter, so that both distribute their files alike. */
function freshSlot() {
  const id = randomId();
  const path = `/${id.slice(0, 2)}/${id}.bin`;
  return { putPath: path, headers: { 'Content-Type': FILE_TYPE }, getPath: path };
}

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

// Bodies are stored next to the files, so that the last step of a PUT is a rename instead of a copy.
const configOf = (folder: string, files: string, port: number, tls?: CertificateFiles) => `
${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr;
events { worker_connections 1024; }
http {
  access_log off;
  ${TEMPORARY.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join('\n  ')}
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  server {
    listen 127.0.0.1:${port} ${tls ? 'ssl ' : ''}backlog=4096;
    ${tls ? `ssl_certificate ${tls.cert}; ssl_certificate_key ${tls.key}; ssl_protocols TLSv1.2 TLSv1.3;` : ''}
    root ${files};
    default_type ${FILE_TYPE};
    client_max_body_size 0;
    client_body_buffer_size 64k;
    location / {
      dav_methods PUT DELETE;
      create_full_put_path on;
    }
    location = ${DISCARD_PATH} { return 201; }
  }
}
`;
