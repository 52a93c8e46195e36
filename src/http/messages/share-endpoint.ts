import type { IncomingMessage } from 'node:http';
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { networkOf } from '../../base/addresses.ts';
import type { SharedLimit } from '../../base/concurrency-limit.ts';
import { Refusal } from '../../base/errors.ts';
import type { Attachment } from '../../messages/attachments.ts';
import { shareFile } from '../../messages/share-file.ts';
import { authenticateWithUserTokens } from '../../messages/user-tokens.ts';
import { typeOfFile } from '../../policy/media-type.ts';
import { parseSignedPath, type SignedPath } from '../../policy/signed-path.ts';
import { uploadBoundsFor } from '../../uploads/grant-slot.ts';
import { locatorForSubpath, type OldLinks } from '../../uploads/old-links.ts';
import type { UploadServices } from '../../uploads/services.ts';
import { requireCredentials } from '../common/authorization.ts';
import { type ClientInfo, getClientInfo, requestBaseUrl } from '../common/client-info.ts';
import { CORS_HEADERS, MESSAGE_CORS_HEADERS, optionsHeaders } from '../common/cors.ts';
import type { HttpResponse } from '../common/error-response.ts';
import { disableBodyParsing } from '../common/read-body.ts';
import { RequestBody } from '../common/request-body.ts';
import { pathOfTarget } from '../common/request-target.ts';
import { sendResponse } from '../common/send-response.ts';
import { contentLengthOrNull, refuseContentRange } from '../files/file-endpoint.ts';
import { createFormSizeCheck } from './form-limits.ts';
import type { MessageEndpointServices } from './message-endpoint.ts';
import { refusalResponse } from './message-response.ts';
import { createSpoolLimit, SPOOL_TIMEOUT_MS, type SpooledBytes, spool } from './spool.ts';

/** GET and HEAD are answered by the router's fallback (`withSharedLinks`). */
const ALLOW = 'OPTIONS, GET, HEAD, PUT';
const SHARE_CORS_HEADERS = {
  ...CORS_HEADERS,
  'Access-Control-Allow-Methods': ALLOW,
  'Access-Control-Expose-Headers': `Location, ${MESSAGE_CORS_HEADERS['Access-Control-Expose-Headers']}`,
};

interface EndpointState {
  readonly path: string;
  readonly limitSpools: SharedLimit;
}

/** `PUT /share/NAME`: stores a file for the client and answers its link. `path` is `messages.share_path`. */
export function shareEndpoint(services: MessageEndpointServices, path: string): FastifyPluginAsync {
  const state: EndpointState = { path, limitSpools: createSpoolLimit() };
  return async (app) => {
    disableBodyParsing(app);
    const others = app.supportedMethods.filter(
      (method) => !['GET', 'HEAD', 'PUT', 'OPTIONS'].includes(method),
    );
    const url = `${path}*`;
    app.route({
      method: 'PUT',
      url,
      handler: (request, reply) => handlePut(services, state, request, reply),
    });
    app.route({
      method: 'OPTIONS',
      url,
      handler: async ({ raw }, reply) =>
        reply.headers({ ...optionsHeaders(ALLOW, raw), ...SHARE_CORS_HEADERS }).send(),
    });
    app.route({ method: others, url, exposeHeadRoute: false, handler: refuseMethod });
  };
}

async function refuseMethod(_request: FastifyRequest, reply: FastifyReply): Promise<never> {
  reply.headers({ Allow: ALLOW });
  throw new Refusal('method_not_allowed', {
    text: 'Share a file with PUT. The path must end with the name of the file.',
  });
}

async function handlePut(
  services: MessageEndpointServices,
  state: EndpointState,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  try {
    return sendResponse(request, reply, createdResponse(await receiveFile(services, state, request)));
  } catch (error) {
    const context = {
      log: services.log,
      now: services.clock(),
      accept: request.headers.accept,
      realm: 'share',
    };
    const response = refusalResponse(error, context);
    return sendResponse(request, reply, {
      ...response,
      headers: { ...response.headers, ...SHARE_CORS_HEADERS },
    });
  }
}

function createdResponse(link: string): HttpResponse {
  const body = `${link}\n`;
  return {
    status: 201,
    headers: {
      ...SHARE_CORS_HEADERS,
      Location: link,
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(body)),
    },
    body,
  };
}

/** Authenticates the client before the body is read. Returns the link. */
async function receiveFile(
  services: MessageEndpointServices,
  { path: sharePath, limitSpools }: EndpointState,
  { raw, headers }: FastifyRequest,
): Promise<string> {
  const client = getClientInfo(raw, services.settings().trustedProxies);
  const path = parsePath(pathOfTarget(raw.url ?? '/').slice(sharePath.length));
  refuseContentRange(raw);
  const credentials = requireCredentials(headers.authorization);
  const { jid: owner } = await authenticateWithUserTokens(services, credentials, client.address, 'share');
  const linkBase = services.messageRules().downloadUrlFor(owner) ?? requestBaseUrl(client);
  const share = (file: Attachment) => shareFile(services, { owner, path, file, sharePath, linkBase });
  const name = path.name;
  const type = typeOfFile(name, headers['content-type'] ?? '', services.rules().types);
  const length = contentLengthOrNull(raw);
  if (length !== null) return await share({ name, type, size: length, open: () => openBody(services, raw) });
  const spoolAndShare = async () => {
    const spooled = await spoolBody(services, raw, owner);
    const { idleTimeoutMs } = services.settings();
    try {
      const open = () => new RequestBody(spooled.read(), { idleTimeoutMs });
      const { size, sha256, path } = spooled;
      return await share({ name, type, size, sha256, path, open });
    } finally {
      await spooled.discard();
    }
  };
  return await limitSpools(spoolKeys(client, owner), spoolAndShare);
}

function spoolKeys({ address }: ClientInfo, owner: string): string[] {
  return [`network ${networkOf(address)}`, `sender ${owner}`];
}

function parsePath(below: string): SignedPath {
  const path = parseSignedPath(below);
  if (path === 'too_long') throw new Refusal('name_too_long');
  const hasName = path !== 'malformed' && path.segments.at(-1) !== '';
  if (hasName && !path.segments.join('/').includes('\uFFFD')) return path;
  throw new Refusal('bad_request', {
    text: 'The path needs the name of the file at its end, percent-encoded UTF-8: PUT /share/a.jpg.',
  });
}

function openBody({ settings }: MessageEndpointServices, request: IncomingMessage): RequestBody {
  const { idleTimeoutMs, totalTimeoutMs } = settings();
  return new RequestBody(request, { idleTimeoutMs, totalTimeoutMs });
}

/** Keeps a body of unknown length on the disk until its end, because quotas are charged with the size of the file. */
async function spoolBody(
  services: MessageEndpointServices,
  request: IncomingMessage,
  owner: string,
): Promise<SpooledBytes> {
  const { idleTimeoutMs, totalTimeoutMs } = services.settings();
  const body = new RequestBody(request, {
    idleTimeoutMs,
    totalTimeoutMs: Math.min(totalTimeoutMs, SPOOL_TIMEOUT_MS),
  });
  const { check } = createFormSizeCheck({
    maxTextBytes: 0,
    fileLimits: () => uploadBoundsFor(services, owner),
  }).addFile();
  const checkSize = (size: number) => {
    check(size);
    services.spaceReserve.checkWhileWriting();
  };
  try {
    return await spool(copyChunks(body, services), checkSize, services.blobs.createSpoolFile);
  } catch (error) {
    body.abort(error as Error);
    throw error;
  }
}

/** Copies each chunk, because its memory is freed when the next batch is requested. */
async function* copyChunks(
  body: RequestBody,
  { transfers }: Pick<UploadServices, 'transfers'>,
): AsyncGenerator<Uint8Array> {
  for await (const batch of body.batches(transfers.memory, () => undefined)) {
    for (const chunk of batch) yield Buffer.from(chunk);
  }
}

/** Finds files that were shared under a path with folders, before the links of imported services. */
export function withSharedLinks(
  links: OldLinks,
  { ledger }: Pick<UploadServices, 'ledger'>,
  sharePath: string,
): OldLinks {
  return {
    ...links,
    async findLocator(path) {
      const below = path.startsWith(sharePath) ? path.slice(sharePath.length) : '';
      const locator = below.includes('/') ? locatorForSubpath('share', below) : undefined;
      if (locator !== undefined && (await ledger.find(locator)) !== undefined) return locator;
      return await links.findLocator(path);
    },
  };
}
