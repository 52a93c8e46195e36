import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A self-signed certificate and its private key, PEM. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** Writes a self-signed certificate for these domains and 127.0.0.1 into a folder. */
export async function writeCertificate(
  folder: string,
  domains: readonly string[],
): Promise<CertificateFiles> {
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  const { cert, key } = createSelfSigned([...domains, '127.0.0.1']);
  // Servers read the files under another user id.
  await writeFile(files.cert, cert, { mode: 0o644 });
  await writeFile(files.key, key, { mode: 0o644 });
  return files;
}

const DAY = 86_400_000;

/** Writes a certificate for these domains and 127.0.0.1 issued by a new authority; its file has both certificates. */
export async function writeIssuedCertificate(
  folder: string,
  domains: readonly string[],
): Promise<CertificateFiles> {
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  const authority = createAuthority();
  const keys = generateKeys();
  const leaf = createCertificate({ names: [...domains, '127.0.0.1'], keys, issuer: authority });
  await writeFile(files.cert, leaf + authority.cert, { mode: 0o644 });
  await writeFile(files.key, toPem(keys), { mode: 0o644 });
  return files;
}

/** Creates a self-signed certificate for DNS names and IPv4 addresses. */
export function createSelfSigned(
  names: readonly string[],
  notAfter = Date.now() + 30 * DAY,
): TestCertificate {
  const keys = generateKeys();
  return { cert: createCertificate({ names, keys, notAfter }), key: toPem(keys) };
}

const generateKeys = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
type Keys = ReturnType<typeof generateKeys>;

const toPem = ({ privateKey }: Keys) => String(privateKey.export({ type: 'pkcs8', format: 'pem' }));

interface Authority {
  readonly name: string;
  readonly keys: Keys;
  readonly cert: string;
}

function createAuthority(): Authority {
  const keys = generateKeys();
  const name = 'Test authority';
  return { name, keys, cert: createCertificate({ names: [name], keys }) };
}

interface Certified {
  /** The first one is the subject. */
  readonly names: readonly string[];
  readonly keys: Keys;
  readonly notAfter?: number;
  /** Default: the certificate itself, as an authority. */
  readonly issuer?: Authority;
}

/** X.509 v3 on P-256, encoded by hand so that tests need no openssl. */
function createCertificate({ names, keys, notAfter = Date.now() + 30 * DAY, issuer }: Certified): string {
  const name = names[0] ?? 'localhost';
  const { publicKey } = keys;
  const body = seq(
    der(0xa0, VERSION_3),
    serial(),
    ECDSA_SHA256,
    subject(issuer?.name ?? name),
    seq(time(notAfter - 60 * DAY), time(notAfter)),
    subject(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, seq(altNames(names), ...(issuer ? [] : [isCa()]), keyId(publicKey))),
  );
  const signature = bits(sign('sha256', body, (issuer?.keys ?? keys).privateKey));
  return pem('CERTIFICATE', seq(body, ECDSA_SHA256, signature));
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const seq = (...parts: readonly Buffer[]) => der(0x30, ...parts);
const bits = (content: Buffer) => der(0x03, Buffer.from([0]), content);
const octets = (content: Buffer) => der(0x04, content);
const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'));
const VERSION_3 = der(0x02, Buffer.from([2]));
const TRUE = der(0x01, Buffer.from([0xff]));
const ECDSA_SHA256 = seq(oid('2a8648ce3d040302'));

/** 63 random bits: a positive integer in its shortest DER encoding. */
function serial(): Buffer {
  const content = randomBytes(8);
  content[0] = ((content[0] ?? 0) & 0x7f) | 0x40;
  return der(0x02, content);
}

/** UTCTime, valid until 2049. */
function time(ms: number): Buffer {
  return der(0x17, Buffer.from(`${new Date(ms).toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`));
}

function subject(name: string): Buffer {
  return seq(der(0x31, seq(oid('550403'), der(0x0c, Buffer.from(name)))));
}

function altNames(names: readonly string[]): Buffer {
  const entries = names.map((name) =>
    /^\d+(?:\.\d+){3}$/.test(name)
      ? der(0x87, Buffer.from(name.split('.').map(Number)))
      : der(0x82, Buffer.from(name)),
  );
  return seq(oid('551d11'), octets(seq(...entries)));
}

function isCa(): Buffer {
  return seq(oid('551d13'), TRUE, octets(seq(TRUE)));
}

function keyId(key: KeyObject): Buffer {
  const digest = createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest();
  return seq(oid('551d0e'), octets(octets(digest)));
}

function pem(label: string, content: Buffer): string {
  const lines = content.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
