import { createHmac } from 'node:crypto';
import type { TestContext } from 'node:test';
import { jidSha1 } from '../../src/base/owners.ts';
import {
  type ExternalEndpointSettings,
  externalEndpoint,
} from '../../src/http/signed-links/external-endpoint.ts';
import { fileShareEndpoint } from '../../src/http/signed-links/file-share-endpoint.ts';
import { type HttpResponse, sendRequest, type TestRequest } from './http.ts';
import { startTestFileServer, type TestFileServer, type TestFileServerOptions } from './test-file-server.ts';

export const SECRET = 'secret string';
export const DELETE_SECRET = 'delete secret';
export const JULIET = 'juliet@example.org';
export const UUID = '3d1b2c7e-5f3a-4c21-9b77-0a1b2c3d4e5f';

const hmac = (text: string, secret = SECRET) => createHmac('sha256', secret).update(text).digest('hex');

export const signV = (path: string, size: number, secret?: string) => hmac(`${path} ${size}`, secret);
export const signV2 = (path: string, size: number, type: string, secret?: string) =>
  hmac(`${path}\0${size}\0${type}`, secret);
export const signDelete = (path: string, secret?: string) => hmac(`${path}\0${DELETE_SECRET}`, secret);

/** Percent-encodes every segment of `path`, as in a link. */
export const encodePath = (path: string) => path.split('/').map(encodeURIComponent).join('/');

/** The path of a link as ejabberd's mod_http_upload makes it. */
export const ejabberdPath = (jid: string, name: string, random = 'A1b2C3d4') =>
  `${jidSha1(jid)}/${random}/${name}`;

export interface Claims {
  readonly sub?: string;
  readonly slot?: string;
  readonly filename?: string;
  readonly filesize?: number;
  readonly filetype?: string;
  /** Seconds since 1970. */
  readonly exp?: number;
  readonly expires?: number | undefined;
}

export function jwt(claims: object, secret = SECRET): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ typ: 'JWT', alg: 'HS256' })}.${part(claims)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

/** Both endpoints for links signed by XMPP servers, on a real socket with real stores. */
export interface TestSignedLinksServer extends TestFileServer {
  /** Seconds since 1970, by the test's clock. */
  readonly now: () => number;
  request(path: string, options?: TestRequest): Promise<HttpResponse>;
  changeExternal(change: Partial<ExternalEndpointSettings>): void;
  /** PUT to the HMAC endpoint with a signature `v`. */
  putV(path: string, body: string | Buffer, headers?: Record<string, string>): Promise<HttpResponse>;
  /** PUT to the HMAC endpoint with a signature `v2` for the content type `signed`. */
  putV2(
    path: string,
    body: string | Buffer,
    signed: string,
    headers?: Record<string, string>,
  ): Promise<HttpResponse>;
  /** PUT to the JWT endpoint; the claims match the body unless given. */
  putFileShare(
    path: string,
    body: string | Buffer,
    claims?: Claims,
    headers?: Record<string, string>,
  ): Promise<HttpResponse>;
  /** Returns a token whose claims match a link. */
  token(path: string, size: number, claims?: Claims): string;
  changeFileShareSecrets(secrets: readonly string[]): void;
}

export async function startTestSignedLinksServer(
  t: TestContext,
  options: TestFileServerOptions = {},
): Promise<TestSignedLinksServer> {
  let external: ExternalEndpointSettings = {
    secrets: [SECRET],
    deleteSecret: DELETE_SECRET,
    maxFileSize: 1_000_000,
    maxTotalSize: null,
    maxFiles: null,
  };
  let secrets: readonly string[] = [SECRET];
  const server = await startTestFileServer(t, {
    ...options,
    endpoints: ({ clock }) => [
      externalEndpoint({ clock, settings: () => external }, '/upload/'),
      fileShareEndpoint({ clock, settings: () => ({ secrets }) }, '/file_share/'),
    ],
  });
  const request = (path: string, more?: TestRequest) =>
    sendRequest({ host: '127.0.0.1', port: server.port }, path, more);
  const put = (path: string, body: string | Buffer, headers: Record<string, string>) =>
    request(path, {
      method: 'PUT',
      headers: { 'Content-Length': String(Buffer.byteLength(body)), ...headers },
      body,
    });
  const now = () => server.services.clock() / 1000;
  const token = (path: string, size: number, claims: Claims = {}) => {
    const [slot = '', filename = ''] = path.split('/');
    const type = 'image/jpeg';
    return jwt({
      sub: JULIET,
      slot,
      filename,
      filesize: size,
      filetype: type,
      iat: now(),
      exp: now() + 300,
      ...claims,
    });
  };
  return {
    ...server,
    now,
    request,
    token,
    changeExternal(change) {
      external = { ...external, ...change };
    },
    changeFileShareSecrets(changed) {
      secrets = changed;
    },
    putV: (path, body, headers = {}) =>
      put(`/upload/${encodePath(path)}?v=${signV(path, Buffer.byteLength(body))}`, body, headers),
    putV2: (path, body, signed, headers = {}) =>
      put(`/upload/${encodePath(path)}?v2=${signV2(path, Buffer.byteLength(body), signed)}`, body, headers),
    putFileShare(path, body, claims = {}, headers = {}) {
      const authorization = `Bearer ${token(path, Buffer.byteLength(body), claims)}`;
      return put(`/file_share/${encodePath(path)}`, body, { Authorization: authorization, ...headers });
    },
  };
}
