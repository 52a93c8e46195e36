import type { IncomingMessage, ServerResponse } from 'node:http';
import { idInPath, PUT_PREFIX } from '../../uploads/links.ts';
import { isProbeToken } from '../../uploads/probe-uploads.ts';
import type { UploadServices } from '../../uploads/services.ts';
import { type AddressMatcher, type ClientInfo, getClientInfo } from '../common/client-info.ts';
import { pathOfTarget } from '../common/request-target.ts';
import type { DataPlane } from '../listener/http-server.ts';

/** How a request looked when it had come through whatever stands in front. */
export interface EchoedRequest extends ClientInfo {
  readonly contentType: string | null;
  readonly authorization: string | null;
  /** Without its `?`. */
  readonly query: string;
}

export interface EchoEndpointServices extends Pick<UploadServices, 'ledger'> {
  /** `trusted_proxies`, asked at every request. */
  readonly trustedProxies: () => AddressMatcher;
}

/**
 * Shows `porter doctor` its own request: a GET of the upload link of one of its slots answers how it arrived. To
 * all others such a GET is what it always was, and so it is where the ledger does not answer.
 */
export function withEchoEndpoint(deps: EchoEndpointServices, data: DataPlane): DataPlane {
  async function look(request: IncomingMessage, response: ServerResponse, token: string): Promise<void> {
    const known = await isProbeToken(deps, token).catch(() => false);
    if (known) show(request, response, deps.trustedProxies());
    else data.handle(request, response);
  }

  return {
    owns: (path) => data.owns(path),
    handle(request, response) {
      const token = request.method === 'GET' ? tokenOf(request) : undefined;
      return token === undefined ? data.handle(request, response) : look(request, response, token);
    },
    handleContinue: (request, response) => data.handleContinue(request, response),
  };
}

function tokenOf({ url = '/' }: IncomingMessage): string | undefined {
  return url.startsWith(PUT_PREFIX) ? idInPath(pathOfTarget(url), PUT_PREFIX) : undefined;
}

function show(request: IncomingMessage, response: ServerResponse, trusted: AddressMatcher): void {
  const seen: EchoedRequest = {
    ...getClientInfo(request, trusted),
    contentType: request.headers['content-type'] ?? null,
    authorization: request.headers.authorization ?? null,
    query: request.url?.split('?', 2)[1] ?? '',
  };
  const body = JSON.stringify(seen);
  response
    .writeHead(200, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
    })
    .end(body);
}
