import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../../base/errors.ts';
import { secretsEqual } from '../../base/ids.ts';
import { grantSlot, maxFileSizeFor } from '../../uploads/grant-slot.ts';
import { fileUrl, putUrl } from '../../uploads/links.ts';
import type { UploadServices } from '../../uploads/services.ts';
import {
  type AddressMatcher,
  type ClientInfo,
  getClientInfo,
  isAllowedClient,
} from '../common/client-info.ts';
import { requestBaseUrl } from '../common/request-base-url.ts';
import {
  parseJidParameter,
  parseSlotParameters,
  parseTextParameter,
  type SlotApiParameters,
} from './slot-parameters.ts';
import { chooseSlotResponseType, formatMaxSize, formatSlot } from './slot-response.ts';

/** What a reload may change. */
export interface SlotApiSettings {
  /** `slot_api.allow_from`. */
  readonly allowFrom: AddressMatcher;
  /** `trusted_proxies`. */
  readonly trustedProxies: AddressMatcher;
  readonly token?: string | null | undefined;
  /** `public_url`, without a slash at its end; without it URLs have the host that was asked. */
  readonly publicUrl?: string | null | undefined;
  /** `download_url`, where files are fetched elsewhere. */
  readonly downloadUrl?: string | null | undefined;
}

export interface SlotApiServices extends UploadServices {
  readonly settings: () => SlotApiSettings;
}

const METHODS = ['GET', 'POST'];
const MAX_BODY_BYTES = 16 * 1024;

/**
 * Door 2: slots over plain HTTP, for ejabberd's `service_url` and whatever speaks to django-xmpp-http-upload.
 * `path` is `slot_api.path`; below it lie `max_size/` and, where a token is set, `TOKEN/` and `TOKEN/max_size/`.
 */
export function slotApiEndpoint(deps: SlotApiServices, path: string): FastifyPluginAsync {
  const root = path.replace(/\/+$/, '');
  const answer = (request: FastifyRequest, reply: FastifyReply) => answerCall(deps, request, reply);
  return async (app) => {
    readBodies(app);
    const others = app.supportedMethods.filter((method) => !METHODS.includes(method));
    for (const url of [root, `${root}/*`]) {
      app.route({ method: METHODS, url, exposeHeadRoute: false, handler: answer });
      app.route({ method: others, url, handler: refuseMethod });
    }
  };
}

async function refuseMethod(_request: FastifyRequest, reply: FastifyReply): Promise<never> {
  reply.header('Allow', METHODS.join(', '));
  throw new Refusal('method_not_allowed', { text: 'Ask with GET or POST.' });
}

/** Forms and JSON; a POST may also have its parameters in the query and no body at all. */
function readBodies(app: FastifyInstance): void {
  const options = { parseAs: 'string', bodyLimit: MAX_BODY_BYTES } as const;
  const json = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', options, json);
  app.addContentTypeParser('application/x-www-form-urlencoded', options, (_request, body, done) => {
    done(null, readForm(String(body)));
  });
}

function readForm(body: string): SlotApiParameters {
  const form: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(body)) form[name] ??= value;
  return form;
}

async function answerCall(
  deps: SlotApiServices,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const settings = deps.settings();
  const peer = getClientInfo(request.raw, settings.trustedProxies);
  try {
    const call = readCall(request, settings, peer);
    const parameters = parametersOf(request);
    const output = chooseSlotResponseType(parseTextParameter(parameters, 'output'), request.headers.accept);
    const body =
      call === 'max_size'
        ? formatMaxSize(output, maxFileSizeFor(deps, parseJidParameter(parameters)) ?? 0)
        : formatSlot(output, await grantUrls(deps, settings, peer, parameters));
    return reply.header('Cache-Control', 'no-store').type(`${output}; charset=utf-8`).send(body);
  } catch (error) {
    if (error instanceof Refusal) note(deps, request, peer, error);
    else deps.metrics.requestRefused('slot_api', 'internal');
    throw error;
  }
}

/** Lets in who may ask, and says which of the two calls it is. */
function readCall(request: FastifyRequest, settings: SlotApiSettings, peer: ClientInfo): 'slot' | 'max_size' {
  if (!isAllowedClient(settings.allowFrom, peer)) {
    throw new Refusal('caller_refused', {
      text: `${peer.address} is not among those in slot_api.allow_from.`,
    });
  }
  const below = ((request.params as { '*'?: string })['*'] ?? '').replace(/\/+$/, '');
  const isMaxSize = /(?:^|\/)max_size$/.test(below);
  const given = isMaxSize ? below.replace(/\/?max_size$/, '') : below;
  checkToken(settings.token ?? undefined, given, request.headers.authorization);
  return isMaxSize ? 'max_size' : 'slot';
}

function checkToken(expected: string | undefined, inPath: string, authorization: string | undefined): void {
  if (expected === undefined) {
    if (inPath !== '') throw new Refusal('not_found');
    return;
  }
  const bearer = /^Bearer +(\S.*)$/i.exec(authorization ?? '')?.[1]?.trim();
  const given = inPath === '' ? bearer : inPath;
  if (given === undefined || !secretsEqual(given, expected)) {
    const fault = given === undefined ? 'The token is missing' : 'That is not the token';
    throw new Refusal('caller_refused', {
      text: `${fault}: give it as the last part of the path or as "Authorization: Bearer …".`,
    });
  }
}

function parametersOf({ query, body }: FastifyRequest): SlotApiParameters {
  if (body === undefined || body === null) return query as SlotApiParameters;
  if (typeof body !== 'object' || Array.isArray(body)) {
    throw new Refusal('bad_request', { text: 'The body must be a form or a JSON object.' });
  }
  return { ...(query as SlotApiParameters), ...(body as SlotApiParameters) };
}

async function grantUrls(
  deps: SlotApiServices,
  settings: SlotApiSettings,
  peer: ClientInfo,
  parameters: SlotApiParameters,
) {
  const putBase = settings.publicUrl ?? requestBaseUrl(peer);
  const slot = await grantSlot(deps, { endpoint: 'slot_api', ...parseSlotParameters(parameters) });
  return {
    put: putUrl(putBase, slot.token, slot.name),
    get: fileUrl(deps, settings.downloadUrl ?? putBase, slot),
  };
}

/** Who was refused what and why; which access rule it was stands in the line of the rule itself. */
function note(
  deps: SlotApiServices,
  request: FastifyRequest,
  peer: ClientInfo,
  { code, message }: Refusal,
): void {
  deps.metrics.requestRefused('slot_api', code);
  const { jid } = {
    ...(request.query as SlotApiParameters),
    ...(request.body as SlotApiParameters | undefined),
  };
  deps.log.info({ client: peer.address, jid, reason: code, text: message }, 'slot refused');
}
