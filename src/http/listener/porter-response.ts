import {
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  ServerResponse,
} from 'node:http';
import { hasBody } from '../common/read-body.ts';

/** Headers as Node accepts them: an object, or a list of name, value, name, value. */
type Headers = OutgoingHttpHeaders | readonly OutgoingHttpHeader[];

/**
 * The response of every endpoint. Enforces three rules for all of them, whichever code writes the headers:
 *
 * - Caches must not store errors, so that clients notice at once if a file or a limit has changed.
 * - Errors to HEAD have no `Content-Length`: clients take it for the size of the file (docs/protocols.md, "GET answers").
 * - An answer that begins before the whole body has arrived closes the connection. The rest of the body must not be read
 *   without limit, and none of it may ever be taken for a request (RFC 9112 §9.3).
 */
export class PorterResponse<
  Request extends IncomingMessage = IncomingMessage,
> extends ServerResponse<Request> {
  override writeHead(status: number, reason?: string | Headers, headers?: Headers): this {
    if (!this.req.complete && hasBody(this.req)) this.shouldKeepAlive = false;
    const given = typeof reason === 'string' ? headers : reason;
    return super.writeHead(status, status < 400 ? (given as OutgoingHttpHeaders) : this.#errorHeaders(given));
  }

  #errorHeaders(given: Headers | undefined): OutgoingHttpHeader[] {
    const omitted = this.req.method === 'HEAD' ? ['cache-control', 'content-length'] : ['cache-control'];
    for (const name of omitted) this.removeHeader(name);
    const kept = toPairs(given).filter(([name]) => !omitted.includes(String(name).toLowerCase()));
    return [...kept, ['Cache-Control', 'no-store'] as const].flat();
  }
}

function toPairs(headers: Headers = {}): (readonly [OutgoingHttpHeader, OutgoingHttpHeader])[] {
  if (!Array.isArray(headers))
    return Object.entries(headers as OutgoingHttpHeaders).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const],
    );
  const list = headers as readonly OutgoingHttpHeader[];
  return list.flatMap((name, index) => (index % 2 === 0 ? [[name, list[index + 1] ?? ''] as const] : []));
}
