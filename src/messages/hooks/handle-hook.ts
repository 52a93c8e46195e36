import { Refusal } from '../../base/errors.ts';
import { sha256Hex } from '../../base/ids.ts';
import { parseBareJid } from '../../base/jid.ts';
import type { MessageType } from '../../stanza/message.ts';
import { type ApiClient, createJidMatcher, createTokenClient, createTokenFinder } from '../authenticate.ts';
import type { MessageRate, TokenRule } from '../message-rules.ts';
import type { MessageServices } from '../message-services.ts';
import { type MessageResult, mayHaveArrived, sendMessages } from '../send-messages.ts';
import { detectFormat, type HookFormatName, hookFormats } from './formats/registry.ts';
import type { FieldPaths, HookMessage, WebhookEvent } from './hook-message.ts';
import { type ImageFetcher, imageErrorText } from './image-fetcher.ts';
import type { PartialDeliveries } from './partial-deliveries.ts';
import { truncate } from './payload-fields.ts';
import { bold, escapeStyling } from './styling.ts';
import { renderTemplate } from './template.ts';

/** A hook of the config. Sizes in bytes. */
export interface HookRule {
  readonly name: string;
  readonly token: string;
  readonly from: string;
  readonly messages_per: MessageRate | null;
  readonly queue: boolean;
  readonly to: readonly string[];
  readonly type: MessageType;
  readonly nick: string | null;
  readonly room_password: string | null;
  readonly format: HookFormatName | 'auto';
  readonly resolved: 'show' | 'hide';
  readonly template: string | null;
  readonly fields: FieldPaths;
  readonly signature_secret: string | null;
  readonly override: { readonly to: readonly string[]; readonly username: boolean };
  readonly images_from: readonly string[];
  readonly max_image_size: number;
}

export interface Hook {
  readonly rule: HookRule;
  /** Under which it sends: to its own recipients, and to those that requests may name. */
  readonly token: TokenRule;
  /** Whom requests may name. */
  readonly allowsRecipient: (bare: string) => boolean;
}

/** The hooks of a config; a reload makes new ones. */
export interface HookRegistry {
  /** In a time that depends on no token. */
  findByToken(token: string): Hook | undefined;
}

export function compileHooks(rules: readonly HookRule[]): HookRegistry {
  const hooks = rules.map((rule) => ({ token: rule.token, hook: compile(rule) }));
  const find = createTokenFinder(hooks);
  return { findByToken: (token) => find(token)?.hook };
}

function compile(rule: HookRule): Hook {
  const { token, from, messages_per, queue, override } = rule;
  const to = [...rule.to.map((jid) => `^${jid.replace(/[^\w@-]/g, '\\$&')}$`), ...override.to];
  return { rule, token: { token, from, messages_per, queue, to }, allowsRecipient: createJidMatcher(to) };
}

export type HookServices = MessageServices & {
  readonly imageFetcher: ImageFetcher;
  readonly partialDeliveries: PartialDeliveries;
};

export interface HookRequest {
  readonly event: WebhookEvent;
  /** A recipient that the request names; a name without `@` is a room or user beside the hook's own. */
  readonly to?: string | undefined;
  readonly bounceWait?: number | undefined;
  readonly linkBase: () => string;
}

export interface HookResult {
  readonly format: HookFormatName;
  /** Of the text, or of the pictures where there is none; empty where there was nothing to tell. */
  readonly results: readonly MessageResult[];
}

/** Far below what servers take in one stanza, whatever the alphabet. */
const MAX_TEXT = 16_000;
/** For all pictures of a call; its sender waits. */
const IMAGES_MS = 8000;

/**
 * Tells the recipients of a hook what a program has posted. Pictures come behind the text; one that cannot be had
 * is left out, and the log says why. Refuses as `send` does, and with `bad_request` what its format cannot read.
 */
export async function handleHookRequest(
  deps: HookServices,
  hook: Hook,
  request: HookRequest,
): Promise<HookResult> {
  const { rule } = hook;
  const { event } = request;
  const format = rule.format === 'auto' ? detectFormat(event) : rule.format;
  const notice = read(rule, format, event);
  const body = notice ? textOf(rule, event, notice) : '';
  if (!notice || (body === '' && notice.images.length === 0)) {
    deps.log.info({ hook: rule.name, format }, 'hook: nothing to tell');
    return { format, results: [] };
  }
  const to = recipientsOf(hook, request.to, notice.channel);
  const results = body === '' ? [] : await tell(deps, hook, request, to, body);
  const reached = results.filter(mayHaveArrived).map((one) => one.to);
  if (body !== '' && reached.length === 0) return { format, results };
  const mail = mailOf(deps, hook, request, body === '' ? to : reached);
  const pictures = await sendImages(deps, rule, notice.images, (image) => mail(undefined, [image]));
  if (body === '' && pictures.length === 0) {
    throw new Refusal('body_missing', { text: 'There is no text, and the picture could not be had.' });
  }
  return { format, results: body === '' ? pictures : results };
}

/** The text, to those who do not have it from an earlier try of the same call. */
async function tell(
  deps: HookServices,
  hook: Hook,
  request: HookRequest,
  to: readonly string[],
  body: string,
): Promise<MessageResult[]> {
  const { partialDeliveries } = deps;
  const key = () => sha256Hex(`${hook.rule.name}\n${to.join()}\n${body}`);
  const left = partialDeliveries.hasAny ? partialDeliveries.remainingRecipients(key(), to) : to;
  const posted = await mailOf(deps, hook, request, left)(body, []);
  if (partialDeliveries.hasAny || !posted.every(mayHaveArrived))
    partialDeliveries.recordResults(key(), posted);
  return posted;
}

/** A template finds words where its format sees none. */
function read(rule: HookRule, format: HookFormatName, call: WebhookEvent): HookMessage | undefined {
  try {
    return hookFormats[format](call, rule);
  } catch (error) {
    const isMute = error instanceof Refusal && error.code === 'body_missing';
    if (isMute && rule.template !== null) return { text: '', images: [] };
    throw error;
  }
}

function textOf(
  { template, override }: HookRule,
  call: WebhookEvent,
  { text, username }: HookMessage,
): string {
  if (template !== null) return truncate(renderTemplate(template, call.payload, text), MAX_TEXT);
  if (username === undefined || !override.username || text === '') return truncate(text, MAX_TEXT);
  // What begins a line must go on beginning it.
  const gap = /^(?:>|```|- )/.test(text) ? '\n' : ' ';
  return truncate(
    `${bold(/\w$/.test(username) ? `${username}:` : escapeStyling(username))}${gap}${text}`,
    MAX_TEXT,
  );
}

type Mail = (
  body: string | undefined,
  files: Parameters<typeof sendMessages>[2]['files'],
) => Promise<MessageResult[]>;

function mailOf(deps: HookServices, hook: Hook, request: HookRequest, to: readonly string[]): Mail {
  const { rule } = hook;
  const sender: ApiClient = createTokenClient(deps, hook.token);
  const room = { nick: rule.nick ?? undefined, password: rule.room_password ?? undefined };
  const { bounceWait, linkBase } = request;
  return (body, files) =>
    sendMessages(deps, sender, { to, message: { type: rule.type, body }, room, files, bounceWait, linkBase });
}

/** A channel that may not be chosen is no fault: programs for Slack send one whether it means something or not. */
function recipientsOf(
  { rule, allowsRecipient }: Hook,
  asked: string | undefined,
  channel = '',
): readonly string[] {
  if (asked !== undefined && asked !== '') return [beside(rule, asked)];
  const chosen = parseBareJid(beside(rule, channel));
  return channel !== '' && chosen !== undefined && allowsRecipient(chosen) ? [chosen] : rule.to;
}

function beside({ to }: HookRule, name: string): string {
  const plainName = name.replace(/^#/, '');
  return plainName.includes('@') ? plainName : `${plainName}@${to[0]?.replace(/^.*@/, '') ?? ''}`;
}

async function sendImages(
  { imageFetcher, log }: HookServices,
  { name, images_from: hosts, max_image_size: maxSize }: HookRule,
  urls: readonly string[],
  mail: (image: Parameters<Parameters<ImageFetcher['withImage']>[1]>[0]) => Promise<MessageResult[]>,
): Promise<MessageResult[]> {
  if (hosts.length === 0) return [];
  const signal = AbortSignal.timeout(IMAGES_MS);
  const posted: MessageResult[] = [];
  for (const url of urls) {
    try {
      posted.push(...(await imageFetcher.withImage({ url, hosts, maxSize, signal }, mail)));
    } catch (error) {
      log.warn({ hook: name, host: new URL(url).host, why: imageErrorText(error) }, 'hook: picture not sent');
    }
  }
  return posted;
}
