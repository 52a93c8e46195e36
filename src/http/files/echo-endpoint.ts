import type { IncomingMessage, ServerResponse } from 'node:http';
import type { JsonValue } from '../../base/json.ts';
import { idInPath, PUT_PREFIX } from '../../uploads/links.ts';
import { isProbeToken } from '../../uploads/probe-uploads.ts';
import type { UploadServices } from '../../uploads/services.ts';
import { type AddressMatcher, type ClientInfo, getClientInfo } from '../common/client-info.ts';
import { pathOfTarget } from '../common/request-target.ts';
import type { DataPlane } from '../listener/http-server.ts';
import { maySendInterim, type ResumableSettings } from './resumable/upload-headers.ts';

/** A request as it arrived, after every proxy in front of Porter. */
export interface EchoedRequest extends ClientInfo {
  readonly contentType: string | null;
  readonly authorization: string | null;
  /** Without its `?`. */
  readonly query: string;
  /** Whether clients whose requests arrive like this one get 104. */
  readonly sendsInterim: boolean;
}

export type EchoEndpointServices = Pick<UploadServices, 'ledger'> & {
  /** `trusted_proxies`, called for every request. */
  readonly trustedProxies: () => AddressMatcher;
  /** Undefined if resumable uploads are off. */
  readonly resumable: () => ResumableSettings | undefined;
  /** Queries the XMPP servers for the services that clients discover. May take many seconds. */
  readonly discover: () => Promise<JsonValue>;
};

/** The query with which `porter doctor` requests the discovery results of the component streams instead of an echo. */
export const DISCOVERY_QUERY = 'porter-doctor=discovery';

/**
 * Shows `porter doctor` how its own request arrives. A GET of the upload link of one of its probe slots is answered with the
 * request as JSON, or with the discovery results of the component streams (null if there are none). Any other GET of an upload
 * link is handled as usual, also if the ledger fails.
 */
export function withEchoEndpoint(services: EchoEndpointServices, dataPlane: DataPlane): DataPlane {
  async function echoIfProbe(
    request: IncomingMessage,
    response: ServerResponse,
    token: string,
  ): Promise<void> {
    const isProbe = await isProbeToken(services, token).catch(() => false);
    if (!isProbe) dataPlane.handle(request, response);
    else if (queryOf(request) === DISCOVERY_QUERY) {
      sendJson(response, await services.discover().catch(() => null));
    } else sendJson(response, echoOf(request, services));
  }

  return {
    owns: (path) => dataPlane.owns(path),
    handle(request, response) {
      const token = request.method === 'GET' ? uploadToken(request) : undefined;
      return token === undefined
        ? dataPlane.handle(request, response)
        : echoIfProbe(request, response, token);
    },
    handleContinue: (request, response) => dataPlane.handleContinue(request, response),
  };
}

function uploadToken({ url = '/' }: IncomingMessage): string | undefined {
  return url.startsWith(PUT_PREFIX) ? idInPath(pathOfTarget(url), PUT_PREFIX) : undefined;
}

function echoOf(
  request: IncomingMessage,
  { trustedProxies, resumable }: Pick<EchoEndpointServices, 'trustedProxies' | 'resumable'>,
): EchoedRequest {
  const settings = resumable();
  return {
    ...getClientInfo(request, trustedProxies()),
    contentType: request.headers['content-type'] ?? null,
    authorization: request.headers.authorization ?? null,
    query: queryOf(request),
    sendsInterim: settings !== undefined && maySendInterim(request, settings),
  };
}

function queryOf({ url }: IncomingMessage): string {
  return url?.split('?', 2)[1] ?? '';
}

function sendJson(response: ServerResponse, value: EchoedRequest | JsonValue): void {
  const body = JSON.stringify(value);
  response
    .writeHead(200, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
    })
    .end(body);
}
