import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../../base/errors.ts';
import { secretsEqual } from '../../base/ids.ts';
import { parseBareJid } from '../../base/jid.ts';
import { mediaTypeEssence } from '../../policy/media-type.ts';
import { grantSlot, maxFileSizeFor } from '../../uploads/grant-slot.ts';
import { fileUrl, type LinkNames, putUrl } from '../../uploads/links.ts';
import type { UploadServices } from '../../uploads/services.ts';
import {
  type AddressMatcher,
  type ClientInfo,
  getClientInfo,
  isAllowedClient,
  requestBaseUrl,
} from '../common/client-info.ts';
import { isDoctorRequest } from '../common/doctor-requests.ts';
import { decodeUtf8, hasBody, parseJsonText, readBody } from '../common/read-body.ts';
import {
  parseJidParameter,
  parseSlotParameters,
  parseTextParameter,
  type SlotApiParameters,
} from './slot-parameters.ts';
import { chooseSlotResponseType, formatMaxSize, formatSlot } from './slot-response.ts';

/** Settings that a reload may change. */
export interface SlotApiSettings {
  /** `slot_api.allow_from`. */
  readonly allowFrom: AddressMatcher;
  /** `trusted_proxies`. */
  readonly trustedProxies: AddressMatcher;
  readonly token?: string | null | undefined;
  /** `slot_api.names`. */
  readonly names?: LinkNames | undefined;
  /** Returns the base URLs of an owner's links. If one is null, its links have the host of the request. */
  readonly linkBasesFor: (owner: string) => {
    readonly putBase: string | null;
    readonly getBase: string | null;
  };
}

export type SlotApiServices = UploadServices & {
  readonly settings: () => SlotApiSettings;
};

const METHODS = ['GET', 'POST'];
const MAX_BODY_BYTES = 16 * 1024;
const BODY_IDLE_TIMEOUT_MS = 15_000;

/**
 * Slots over plain HTTP, for ejabberd's `service_url` and clients of django-xmpp-http-upload (docs/protocols.md, "Slot API of
 * ejabberd and django"). `path` is `slot_api.path`. Below it are `max_size/` and, if a token is set, `TOKEN/` and
 * `TOKEN/max_size/`.
 */
export function slotApiEndpoint(services: SlotApiServices, path: string): FastifyPluginAsync {
  const root = path.replace(/\/+$/, '');
  const answer = (request: FastifyRequest, reply: FastifyReply) => handleCall(services, request, reply);
  return async (app) => {
    const others = app.supportedMethods.filter((method) => !METHODS.includes(method));
    for (const url of [root, `${root}/*`]) {
      app.route({ method: METHODS, url, exposeHeadRoute: false, handler: answer });
      app.route({ method: others, url, handler: refuseMethod });
    }
  };
}

async function refuseMethod(_request: FastifyRequest, reply: FastifyReply): Promise<never> {
  reply.header('Allow', METHODS.join(', '));
  throw new Refusal('method_not_allowed', { text: 'The slot API accepts only GET and POST.' });
}

async function handleCall(
  services: SlotApiServices,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const settings = services.settings();
  const client = getClientInfo(request.raw, settings.trustedProxies);
  let parameters = request.query as SlotApiParameters;
  let isAuthorized = false;
  try {
    const call = readCall(request, settings, client);
    isAuthorized = true;
    parameters = await readParameters(services, request);
    const output = chooseSlotResponseType(parseTextParameter(parameters, 'output'), request.headers.accept);
    const body =
      call === 'max_size'
        ? formatMaxSize(output, maxFileSizeFor(services, parseJidParameter(parameters)) ?? 0)
        : formatSlot(output, await grantUrls(services, settings, client, parameters));
    return reply.header('Cache-Control', 'no-store').type(`${output}; charset=utf-8`).send(body);
  } catch (error) {
    if (error instanceof Refusal) {
      const isProbe = isDoctorRequest(request.raw);
      reportRefusal(services, parameters, { isAuthorized, client, isProbe }, error);
    } else services.metrics.requestRefused('slot_api', 'internal');
    throw error;
  }
}

/** Returns which of the two calls it is. Throws `Refusal` if the client is not allowed or the token is wrong. */
function readCall(
  request: FastifyRequest,
  settings: SlotApiSettings,
  client: ClientInfo,
): 'slot' | 'max_size' {
  if (!isAllowedClient(settings.allowFrom, client)) {
    throw new Refusal('caller_refused', {
      text: `${client.address} is not listed in slot_api.allow_from.`,
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
    const problem = given === undefined ? 'The token is missing' : 'The token is wrong';
    throw new Refusal('caller_refused', {
      text: `${problem}. Send it as the last part of the path or as "Authorization: Bearer …".`,
    });
  }
}

/**
 * Returns the parameters of the query and of the body, a form or JSON. A POST without a body has its parameters in the
 * query. Reads the body, so the client must be authorised before.
 */
async function readParameters(
  { transfers }: SlotApiServices,
  { query, raw }: FastifyRequest,
): Promise<SlotApiParameters> {
  if (raw.method !== 'POST' || !hasBody(raw)) return query as SlotApiParameters;
  const parse = BODY_PARSERS[mediaTypeEssence(raw.headers['content-type'] ?? '')];
  if (parse === undefined) {
    const known = Object.keys(BODY_PARSERS).join(' or ');
    throw new Refusal('bad_request', { text: `The Content-Type must be ${known}.` });
  }
  const bytes = await readBody(raw, {
    maxBytes: MAX_BODY_BYTES,
    idleTimeoutMs: BODY_IDLE_TIMEOUT_MS,
    memoryBudget: transfers.memory,
    content: 'request',
  });
  const body = parse(decodeUtf8(bytes));
  if (typeof body !== 'object' || body === null || Array.isArray(body) || Object.hasOwn(body, '__proto__')) {
    throw new Refusal('bad_request', { text: 'The body must be a form or a JSON object.' });
  }
  return { ...(query as SlotApiParameters), ...body };
}

const BODY_PARSERS: Readonly<Record<string, ((text: string) => unknown) | undefined>> = {
  'application/json': parseJsonText,
  'application/x-www-form-urlencoded': parseFormBody,
};

function parseFormBody(body: string): SlotApiParameters {
  const form: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(body)) form[name] ??= value;
  return form;
}

async function grantUrls(
  services: SlotApiServices,
  settings: SlotApiSettings,
  client: ClientInfo,
  parameters: SlotApiParameters,
) {
  const { names = 'ascii', linkBasesFor } = settings;
  const request = parseSlotParameters(parameters);
  const bases = linkBasesFor(parseBareJid(request.jid) ?? '');
  const putBase = bases.putBase ?? requestBaseUrl(client);
  const slot = await grantSlot(services, { endpoint: 'slot_api', ...request });
  return {
    put: putUrl(putBase, slot.token, slot.name, names),
    get: fileUrl(services, bases.getBase ?? putBase, slot, names),
  };
}

/** Counts and records a refusal. Its `owner` is set only for an authorized client, because others may send any JID. */
function reportRefusal(
  { metrics, refusals }: SlotApiServices,
  parameters: SlotApiParameters,
  {
    isAuthorized,
    client: { address },
    isProbe,
  }: { readonly isAuthorized: boolean; readonly client: ClientInfo; readonly isProbe: boolean },
  refusal: Refusal,
): void {
  metrics.requestRefused('slot_api', refusal.code);
  const { jid, name, size } = parameters;
  refusals.add({
    kind: 'slot',
    endpoint: 'slot_api',
    refusal,
    owner: isAuthorized && typeof jid === 'string' ? parseBareJid(jid) : undefined,
    claimedJid: jid,
    name: typeof name === 'string' ? name : undefined,
    size: size === undefined ? undefined : Number(size),
    client: address,
    isProbe,
  });
}
