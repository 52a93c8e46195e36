/** A request to somebody else's HTTP server. */
export interface HttpClientRequest {
  readonly method: 'POST' | 'OPTIONS';
  /** May hold a user and a password. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

export interface HttpClientResponse {
  readonly status: number;
  header(name: string): string | null;
  /** Null where it is longer than allowed, or no UTF-8. */
  readonly body: string | null;
}

/** Resolves with whatever was answered, redirects included; rejects where no whole answer came. */
export type HttpClient = (
  request: HttpClientRequest,
  limits: { readonly maxBytes: number; readonly signal: AbortSignal },
) => Promise<HttpClientResponse>;

/** Connections are kept open for the next call. */
export const httpClient: HttpClient = async ({ method, url, headers, body }, { maxBytes, signal }) => {
  const { plain, authorization } = withoutUser(url);
  const response = await fetch(plain, {
    method,
    headers: { ...headers, ...authorization },
    redirect: 'manual',
    signal,
    ...(body !== undefined && { body }),
  });
  const text = await readBounded(response, maxBytes);
  return { status: response.status, header: (name) => response.headers.get(name), body: text };
};

/** `fetch` refuses URLs with a user in them. */
function withoutUser(url: URL): { plain: URL; authorization: Record<string, string> } {
  const { username, password } = url;
  if (username === '' && password === '') return { plain: url, authorization: {} };
  const plain = new URL(url);
  plain.username = '';
  plain.password = '';
  const both = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { plain, authorization: { Authorization: `Basic ${Buffer.from(both).toString('base64')}` } };
}

async function readBounded(response: Response, maxBytes: number): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    // Leaving the loop ends the connection.
    if (size > maxBytes) return null;
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    return null;
  }
}

/** Why a call came to nothing, in one word and without its URL, which may hold secrets. */
export function networkErrorReason(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') return at.code;
    if (at.cause === undefined) return at.name;
  }
  return 'failed';
}
