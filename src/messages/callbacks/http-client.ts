import { readBounded } from '../../base/read-bounded.ts';

/** A request to an HTTP server that the admin configured. */
export interface HttpClientRequest {
  readonly method: 'POST' | 'OPTIONS';
  /** May contain a user name and a password. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

export interface HttpClientResponse {
  readonly status: number;
  header(name: string): string | null;
  /** Null if the body is longer than allowed or not UTF-8. */
  readonly body: string | null;
}

/** Resolves with every response, redirects included. Rejects if no complete response arrives. */
export type HttpClient = (
  request: HttpClientRequest,
  limits: { readonly maxBytes: number; readonly signal: AbortSignal },
) => Promise<HttpClientResponse>;

/** Reuses connections. Does not follow redirects. */
export const httpClient: HttpClient = async ({ method, url, headers, body }, { maxBytes, signal }) => {
  const { target, authorization } = splitCredentials(url);
  const response = await fetch(target, {
    method,
    headers: { ...headers, ...authorization },
    redirect: 'manual',
    signal,
    ...(body !== undefined && { body }),
  });
  const text = await readText(response, maxBytes);
  return { status: response.status, header: (name) => response.headers.get(name), body: text };
};

/** `fetch` rejects URLs that contain credentials, so they become a header. */
function splitCredentials(url: URL): { target: URL; authorization: Record<string, string> } {
  const { username, password } = url;
  if (username === '' && password === '') return { target: url, authorization: {} };
  const target = new URL(url);
  target.username = '';
  target.password = '';
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { target, authorization: { Authorization: `Basic ${Buffer.from(credentials).toString('base64')}` } };
}

async function readText({ body }: Response, maxBytes: number): Promise<string | null> {
  const bytes = body === null ? Buffer.alloc(0) : await readBounded(body, maxBytes);
  if (bytes === undefined) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
