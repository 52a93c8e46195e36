import mustache from 'mustache';
import { RE2JS } from 're2js';
import { Refusal } from '../../base/errors.ts';
import { sha256Hex } from '../../base/ids.ts';
import { parseBareJid } from '../../base/jid.ts';
import type { MessageType } from '../../stanza/message.ts';
import type { Attachment } from '../attachments.ts';
import { createJidMatcher, createTokenClient, createTokenFinder } from '../authenticate.ts';
import type { MessageRate, TokenRule } from '../message-rules.ts';
import type { MessageServices } from '../message-services.ts';
import { type MessageResult, mayHaveArrived, sendMessages } from '../send-messages.ts';
import { detectFormat, type HookFormatName, hookProgram } from './formats/registry.ts';
import type { FieldPaths, HookAnswer, HookMessage, WebhookEvent } from './hook-message.ts';
import { type ImageFetcher, imageErrorText } from './image-fetcher.ts';
import type { PartialDeliveries } from './partial-deliveries.ts';
import { truncate } from './payload-fields.ts';
import { bold, escapeStyling } from './styling.ts';

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
  /** The token that sends. It allows the configured recipients, and those that requests may choose. */
  readonly token: TokenRule;
  /** Returns true if a request may choose this bare JID as its recipient. */
  readonly allowsRecipient: (bare: string) => boolean;
}

/** The hooks of a config. A reload creates a new registry. */
export interface HookRegistry {
  /** Its run time does not depend on the tokens. */
  findByToken(token: string): Hook | undefined;
  /** All hooks, in the order of the config. */
  readonly all: readonly Hook[];
}

export function compileHooks(rules: readonly HookRule[]): HookRegistry {
  const hooks = rules.map((rule) => ({ token: rule.token, hook: compileHook(rule) }));
  const find = createTokenFinder(hooks);
  return { findByToken: (token) => find(token)?.hook, all: hooks.map(({ hook }) => hook) };
}

function compileHook(rule: HookRule): Hook {
  const { token, from, messages_per, queue, override } = rule;
  const to = [...rule.to.map((jid) => `^${RE2JS.quote(jid)}$`), ...override.to];
  return { rule, token: { token, from, messages_per, queue, to }, allowsRecipient: createJidMatcher(to) };
}

export type HookServices = MessageServices & {
  readonly imageFetcher: ImageFetcher;
  readonly partialDeliveries: PartialDeliveries;
};

export interface HookRequest {
  readonly event: WebhookEvent;
  /** The recipient that the request chooses. A name without `@` is at the domain of the hook's first recipient. */
  readonly to?: string | undefined;
  readonly bounceWait?: number | undefined;
  readonly linkBase: () => string;
}

export interface HookResult {
  /** Results of the text messages, or of the images if there is no text. Empty if the event needs no message. */
  readonly results: readonly MessageResult[];
  /** The answer that the program expects after success; undefined for Porter's own. */
  readonly answer: HookAnswer | undefined;
}

/** UTF-16 units; in every script far below the stanza size limits of servers. */
const MAX_TEXT_LENGTH = 16_000;
/** For all images of a request, because its client waits meanwhile. */
const IMAGES_TIMEOUT_MS = 8000;

/**
 * Sends the event of a webhook request to the recipients of the hook, and its images after the text. Images that cannot
 * be fetched are left out and logged. Throws the refusals of `sendMessages`, and `bad_request` if the format cannot parse
 * the payload.
 */
export async function handleHookRequest(
  services: HookServices,
  hook: Hook,
  request: HookRequest,
): Promise<HookResult> {
  const { rule } = hook;
  const { event } = request;
  const format = rule.format === 'auto' ? detectFormat(event) : rule.format;
  const toResult = (results: readonly MessageResult[]): HookResult => ({
    results,
    answer: hookProgram(format).answer?.(event, results[0]?.id ?? ''),
  });
  const message = parseEvent(rule, format, event);
  const text = message ? formatText(rule, event, message) : '';
  if (!message || (text === '' && message.images.length === 0)) {
    services.log.info({ hook: rule.name, format }, 'hook event ignored: it needs no message');
    return toResult([]);
  }
  const to = selectRecipients(hook, request.to, message.channel);
  const results = text === '' ? [] : await sendText(services, hook, request, to, text);
  const reached = results.filter(mayHaveArrived).map((result) => result.to);
  if (text !== '' && reached.length === 0) return toResult(results);
  const send = createSend(services, hook, request, text === '' ? to : reached);
  const imageResults = await sendImages(services, rule, message.images, (image) => send(undefined, [image]));
  if (text === '' && imageResults.length === 0) {
    throw new Refusal('body_missing', {
      text: 'The payload has no text, and its image cannot be fetched. The log of Porter has the reason.',
    });
  }
  return toResult(text === '' ? imageResults : results);
}

/** Skips recipients that got the text from an earlier attempt of the same event. */
async function sendText(
  services: HookServices,
  hook: Hook,
  request: HookRequest,
  to: readonly string[],
  text: string,
): Promise<MessageResult[]> {
  const { partialDeliveries } = services;
  const toKey = () => sha256Hex(`${hook.rule.name}\n${to.join()}\n${text}`);
  const remaining = partialDeliveries.hasAny ? partialDeliveries.remainingRecipients(toKey(), to) : to;
  const results = await createSend(services, hook, request, remaining)(text, []);
  if (partialDeliveries.hasAny || !results.every(mayHaveArrived)) {
    partialDeliveries.recordResults(toKey(), results);
  }
  return results;
}

/** If the format finds no text, a configured template is applied anyway, because it may find some. */
function parseEvent(rule: HookRule, format: HookFormatName, event: WebhookEvent): HookMessage | undefined {
  try {
    return hookProgram(format).parse(event, rule);
  } catch (error) {
    const isTextMissing = error instanceof Refusal && error.code === 'body_missing';
    if (isTextMissing && rule.template !== null) return { text: '', images: [] };
    throw error;
  }
}

function formatText(
  { template, override }: HookRule,
  event: WebhookEvent,
  { text, username }: HookMessage,
): string {
  if (template !== null) return truncate(renderTemplate(template, event.payload, text), MAX_TEXT_LENGTH);
  if (username === undefined || !override.username || text === '') return truncate(text, MAX_TEXT_LENGTH);
  // A quote, code block or list is only recognized at the start of a line.
  const separator = /^(?:>|```|- )/.test(text) ? '\n' : ' ';
  const name = bold(/\w$/.test(username) ? `${username}:` : escapeStyling(username));
  return truncate(`${name}${separator}${text}`, MAX_TEXT_LENGTH);
}

/**
 * Renders the admin's Mustache template. `{{x}}` is escaped, so that it applies no styling; `{{{x}}}` is inserted
 * unchanged. `porter.text` is the text that the format would send. A payload cannot run code in a template.
 */
function renderTemplate(template: string, payload: unknown, text: string): string {
  const fields = payload instanceof Object && !Array.isArray(payload) ? payload : { text: payload };
  const view = { ...fields, porter: { text } };
  const options = { escape: (value: unknown) => escapeStyling(String(value)) };
  try {
    return mustache.render(template, view, {}, options).trim();
  } catch (error) {
    // An object in the payload may have a `toString` that is not a function.
    throw new Refusal('bad_request', {
      text: 'The template of this hook cannot be applied to the payload: it expects texts where the payload has objects.',
      cause: error,
    });
  }
}

type Send = (text: string | undefined, files: readonly Attachment[]) => Promise<MessageResult[]>;

function createSend(services: HookServices, hook: Hook, request: HookRequest, to: readonly string[]): Send {
  const { type, nick, room_password: password } = hook.rule;
  const client = createTokenClient(services, hook.token);
  const room = { nick: nick ?? undefined, password: password ?? undefined };
  const { bounceWait, linkBase } = request;
  return (body, files) =>
    sendMessages(services, client, { to, message: { type, body }, room, files, bounceWait, linkBase });
}

/** Ignores a channel that is not allowed: many programs for Slack always send one. */
function selectRecipients(
  { rule, allowsRecipient }: Hook,
  chosen: string | undefined,
  channel = '',
): readonly string[] {
  if (chosen !== undefined && chosen !== '') return [completeJid(rule, chosen)];
  const channelJid = parseBareJid(completeJid(rule, channel));
  return channel !== '' && channelJid !== undefined && allowsRecipient(channelJid) ? [channelJid] : rule.to;
}

function completeJid({ to }: HookRule, name: string): string {
  const plainName = name.replace(/^#/, '');
  return plainName.includes('@') ? plainName : `${plainName}@${to[0]?.replace(/^.*@/, '') ?? ''}`;
}

async function sendImages(
  { imageFetcher, log }: HookServices,
  { name, images_from: hosts, max_image_size: maxSize }: HookRule,
  urls: readonly string[],
  send: (image: Attachment) => Promise<MessageResult[]>,
): Promise<MessageResult[]> {
  if (hosts.length === 0) return [];
  const signal = AbortSignal.timeout(IMAGES_TIMEOUT_MS);
  const results: MessageResult[] = [];
  for (const url of urls) {
    try {
      results.push(...(await imageFetcher.withImage({ url, hosts, maxSize, signal }, send)));
    } catch (error) {
      const { host } = new URL(url);
      log.warn(
        { hook: name, host, reason: imageErrorText(error) },
        'image of a hook event not sent: see images_from and max_image_size of the hook',
      );
    }
  }
  return results;
}
