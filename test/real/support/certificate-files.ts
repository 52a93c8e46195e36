import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSelfSigned } from '../../support/self-signed-certificate.ts';

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** A self-made certificate for these domains and 127.0.0.1, its own authority, as files in a folder. */
export async function writeCertificate(
  folder: string,
  domains: readonly string[],
): Promise<CertificateFiles> {
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  const { cert, key } = createSelfSigned([...domains, '127.0.0.1']);
  // Servers read them under their own account.
  await writeFile(files.cert, cert, { mode: 0o644 });
  await writeFile(files.key, key, { mode: 0o644 });
  return files;
}
