import type { IncomingMessage, ServerResponse } from 'node:http';
import { isCheckup } from '../uploads/checkup.ts';
import type { UploadDeps } from '../uploads/deps.ts';
import { idInPath, PUT_PREFIX } from '../uploads/links.ts';
import { pathOf } from './paths.ts';
import { type AddressMatcher, type Peer, peerOf } from './peer.ts';
import type { DataDoor } from './server.ts';

/** How a request looked when it had come through whatever stands in front. */
export interface Mirrored extends Peer {
  readonly contentType: string | null;
  readonly authorization: string | null;
  /** Without its `?`. */
  readonly query: string;
}

export interface MirrorDeps extends Pick<UploadDeps, 'ledger'> {
  /** `trusted_proxies`, asked at every request. */
  readonly trustedProxies: () => AddressMatcher;
}

/**
 * Shows `porter doctor` its own request: a GET of the upload link of one of its slots answers how it arrived. To
 * all others such a GET is what it always was, and so it is where the ledger does not answer.
 */
export function withMirror(deps: MirrorDeps, data: DataDoor): DataDoor {
  async function look(request: IncomingMessage, response: ServerResponse, token: string): Promise<void> {
    const known = await isCheckup(deps, token).catch(() => false);
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
  return url.startsWith(PUT_PREFIX) ? idInPath(pathOf(url), PUT_PREFIX) : undefined;
}

function show(request: IncomingMessage, response: ServerResponse, trusted: AddressMatcher): void {
  const seen: Mirrored = {
    ...peerOf(request, trusted),
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
