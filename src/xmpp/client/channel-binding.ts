import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** Data that ties a login to its TLS connection (RFC 5056), so that a login through another connection fails. */
export interface ChannelBinding {
  readonly type: 'tls-exporter' | 'tls-server-end-point';
  readonly data: Buffer;
}

const EXPORTER_LABEL = 'EXPORTER-Channel-Binding';
const EXPORTER_BYTES = 32;

/** Returns the strongest binding of a connection among these types, or undefined if it has none of them, as without TLS. */
export function bindChannel(socket: Socket, types: readonly string[]): ChannelBinding | undefined {
  if (!isTls(socket)) return undefined;
  // RFC 9266 §4.2: below TLS 1.3 it is only safe with an extension that Node.js does not report.
  if (types.includes('tls-exporter') && socket.getProtocol() === 'TLSv1.3') {
    const data = socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.alloc(0));
    return { type: 'tls-exporter', data };
  }
  if (!types.includes('tls-server-end-point')) return undefined;
  const data = hashCertificate(socket);
  return data && { type: 'tls-server-end-point', data };
}

/** Replaces `instanceof TLSSocket`, so that servers without TLS do not load `node:tls`. */
function isTls(socket: Socket): socket is TLSSocket {
  return 'encrypted' in socket;
}

/**
 * Hashes the certificate with the hash function of its signature, or with SHA-256 instead of MD5 and SHA-1 (RFC 5929 §4.1).
 * Returns undefined if the signature has no hash function.
 */
function hashCertificate(socket: TLSSocket): Buffer | undefined {
  const certificate = socket.getPeerX509Certificate();
  const name = /(?:md5|sha-?(?:1|224|256|384|512))(?!\d)/i.exec(certificate?.signatureAlgorithm ?? '')?.[0];
  if (certificate === undefined || name === undefined) return undefined;
  const hash = name.toLowerCase().replace('-', '');
  return createHash(hash === 'md5' || hash === 'sha1' ? 'sha256' : hash)
    .update(certificate.raw)
    .digest();
}
