import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';

/** Paths of PEM files, as in the option `tls`. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** The certificate cannot be used. The message is for the admin. */
export class TlsError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'TlsError';
  }
}

/** A certificate with its matching key. */
export interface LoadedCertificate {
  readonly context: SecureContextOptions;
  /** A problem that does not prevent its use, such as an expired certificate; undefined without one. */
  readonly warning: string | undefined;
}

/** Reads and checks certificate and key. Throws `TlsError`. */
export async function loadCertificate(files: TlsFiles, now: number): Promise<LoadedCertificate> {
  const [cert, key] = await Promise.all([
    readPemFile(files.cert, 'tls.cert'),
    readPemFile(files.key, 'tls.key'),
  ]);
  const context: SecureContextOptions = { cert, key, minVersion: 'TLSv1.2' };
  try {
    createSecureContext(context);
    return { context, warning: warningFor(new X509Certificate(cert), now) };
  } catch (error) {
    throw new TlsError(explainTlsError(error), error);
  }
}

async function readPemFile(file: string, option: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new TlsError(`Cannot read ${file} (${option}): ${explainReadError(code)}.`, error);
  }
}

function explainReadError(code: string): string {
  if (code === 'ENOENT') return 'the file does not exist. Correct the path';
  if (code === 'EACCES')
    return `permission denied (running as uid ${process.getuid?.()}). Make it readable for this user`;
  return code;
}

function explainTlsError(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (code.includes('KEY_VALUES_MISMATCH'))
    return 'tls.key does not belong to the certificate in tls.cert. Use the key that the certificate was issued for.';
  if (code.includes('NO_START_LINE')) return 'tls.cert and tls.key must be PEM files ("-----BEGIN …").';
  if (code.includes('BAD_DECRYPT') || code.includes('PASSWORD'))
    return 'tls.key is encrypted. Store it without a passphrase.';
  return `The certificate cannot be used: ${error instanceof Error ? error.message : String(error)}`;
}

function warningFor(certificate: X509Certificate, now: number): string | undefined {
  if (certificate.validToDate.getTime() <= now)
    return `The TLS certificate expired on ${certificate.validTo}. Renew it.`;
  if (certificate.validFromDate.getTime() > now)
    return `The TLS certificate is not valid before ${certificate.validFrom}. Check the clock of this machine.`;
  return undefined;
}
