import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';

/** Paths of PEM files, as in the option `tls`. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** A certificate that cannot be used, in words for an admin. */
export class TlsError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'TlsFault';
  }
}

/** A certificate that was found to fit its key. */
export interface LoadedCertificate {
  readonly context: SecureContextOptions;
  /** What an admin should know, such as a certificate that has run out; undefined where all is well. */
  readonly warning: string | undefined;
}

/** Reads and tries certificate and key; throws `TlsFault`. */
export async function loadCertificate(files: TlsFiles, now: number): Promise<LoadedCertificate> {
  const [cert, key] = await Promise.all([readPem(files.cert, 'tls.cert'), readPem(files.key, 'tls.key')]);
  const context: SecureContextOptions = { cert, key, minVersion: 'TLSv1.2' };
  try {
    createSecureContext(context);
    return { context, warning: warningFor(new X509Certificate(cert), now) };
  } catch (error) {
    throw new TlsError(explain(error), error);
  }
}

async function readPem(file: string, option: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'access is denied' : code;
    throw new TlsError(`The file of ${option} cannot be read: ${why}.`, error);
  }
}

function explain(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (code.includes('KEY_VALUES_MISMATCH')) return 'tls.key is not the key of the certificate in tls.cert.';
  if (code.includes('NO_START_LINE')) return 'tls.cert and tls.key must be PEM files ("-----BEGIN …").';
  if (code.includes('BAD_DECRYPT') || code.includes('PASSWORD')) return 'tls.key must not be encrypted.';
  return `The certificate cannot be used: ${error instanceof Error ? error.message : String(error)}`;
}

function warningFor(certificate: X509Certificate, now: number): string | undefined {
  if (certificate.validToDate.getTime() <= now) return `The certificate ran out on ${certificate.validTo}.`;
  if (certificate.validFromDate.getTime() > now)
    return `The certificate is valid only from ${certificate.validFrom}.`;
  return undefined;
}
