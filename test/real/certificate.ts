import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A self-made certificate for these domains and 127.0.0.1, in a folder; it is its own authority. */
export async function makeCertificate(folder: string, domains: readonly string[]): Promise<Certificate> {
  const certificate = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  const names = [...domains.map((domain) => `DNS:${domain}`), 'IP:127.0.0.1'].join(',');
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-days', '2'],
    ...['-subj', `/CN=${domains[0] ?? 'localhost'}`, '-addext', `subjectAltName=${names}`],
    ...['-keyout', certificate.key, '-out', certificate.cert],
  ]);
  return certificate;
}
