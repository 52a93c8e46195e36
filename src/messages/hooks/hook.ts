import { Refusal } from '../../base/errors.ts';
import { sha256Hex } from '../../base/ids.ts';
import { bareJid } from '../../base/jid.ts';
import type { MessageRate, TokenRule } from '../deps.ts';
import { mayHaveArrived, type Posted, type SendDeps, send } from '../send.ts';
import { jidMatcher, type Sender, tokenFinder, tokenSender } from '../senders.ts';
import type { MessageType } from '../stanzas.ts';
import { type FormatName, formats, guessFormat } from './formats.ts';
import { type Images, imageFault } from './images.ts';
import type { FieldPaths, HookCall, Notice } from './notice.ts';
import { shorten } from './read.ts';
import type { Repeats } from './repeats.ts';
import { plain, strong } from './styling.ts';
import { render } from './template.ts';

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
  readonly format: FormatName | 'auto';
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
  readonly allows: (bare: string) => boolean;
}

/** The hooks of a config; a reload makes new ones. */
export interface Hooks {
  /** In a time that depends on no token. */
  find(token: string): Hook | undefined;
}

export function compileHooks(rules: readonly HookRule[]): Hooks {
  const hooks = rules.map((rule) => ({ token: rule.token, hook: compile(rule) }));
  const find = tokenFinder(hooks);
  return { find: (token) => find(token)?.hook };
}

function compile(rule: HookRule): Hook {
  const { token, from, messages_per, queue, override } = rule;
  const to = [...rule.to.map((jid) => `^${jid.replace(/[^\w@-]/g, '\\$&')}$`), ...override.to];
  return { rule, token: { token, from, messages_per, queue, to }, allows: jidMatcher(to) };
}

export interface HookDeps extends SendDeps {
  readonly images: Images;
  readonly repeats: Repeats;
}

export interface HookRequest {
  readonly call: HookCall;
  /** A recipient that the request names; a name without `@` is a room or user beside the hook's own. */
  readonly to?: string | undefined;
  readonly bounceWait?: number | undefined;
  readonly linkBase: () => string;
}

export interface HookAnswer {
  readonly format: FormatName;
  /** Of the text, or of the pictures where there is none; empty where there was nothing to tell. */
  readonly posted: readonly Posted[];
}

/** Far below what servers take in one stanza, whatever the alphabet. */
const MAX_TEXT = 16_000;
/** For all pictures of a call; its sender waits. */
const IMAGES_MS = 8000;

/**
 * Tells the recipients of a hook what a program has posted. Pictures come behind the text; one that cannot be had
 * is left out, and the log says why. Refuses as `send` does, and with `bad_request` what its format cannot read.
 */
export async function takeHook(deps: HookDeps, hook: Hook, request: HookRequest): Promise<HookAnswer> {
  const { rule } = hook;
  const { call } = request;
  const format = rule.format === 'auto' ? guessFormat(call) : rule.format;
  const notice = read(rule, format, call);
  const body = notice ? textOf(rule, call, notice) : '';
  if (!notice || (body === '' && notice.images.length === 0)) {
    deps.log.info({ hook: rule.name, format }, 'hook: nothing to tell');
    return { format, posted: [] };
  }
  const to = recipientsOf(hook, request.to, notice.channel);
  const posted = body === '' ? [] : await tell(deps, hook, request, to, body);
  const reached = posted.filter(mayHaveArrived).map((one) => one.to);
  if (body !== '' && reached.length === 0) return { format, posted };
  const mail = mailOf(deps, hook, request, body === '' ? to : reached);
  const pictures = await sendImages(deps, rule, notice.images, (image) => mail(undefined, [image]));
  if (body === '' && pictures.length === 0) {
    throw new Refusal('body_missing', { text: 'There is no text, and the picture could not be had.' });
  }
  return { format, posted: body === '' ? pictures : posted };
}

/** The text, to those who do not have it from an earlier try of the same call. */
async function tell(
  deps: HookDeps,
  hook: Hook,
  request: HookRequest,
  to: readonly string[],
  body: string,
): Promise<Posted[]> {
  const { repeats } = deps;
  const key = () => sha256Hex(`${hook.rule.name}\n${to.join()}\n${body}`);
  const left = repeats.any ? repeats.left(key(), to) : to;
  const posted = await mailOf(deps, hook, request, left)(body, []);
  if (repeats.any || !posted.every(mayHaveArrived)) repeats.note(key(), posted);
  return posted;
}

/** A template finds words where its format sees none. */
function read(rule: HookRule, format: FormatName, call: HookCall): Notice | undefined {
  try {
    return formats[format](call, rule);
  } catch (error) {
    const isMute = error instanceof Refusal && error.code === 'body_missing';
    if (isMute && rule.template !== null) return { text: '', images: [] };
    throw error;
  }
}

function textOf({ template, override }: HookRule, call: HookCall, { text, username }: Notice): string {
  if (template !== null) return shorten(render(template, call.payload, text), MAX_TEXT);
  if (username === undefined || !override.username || text === '') return shorten(text, MAX_TEXT);
  // What begins a line must go on beginning it.
  const gap = /^(?:>|```|- )/.test(text) ? '\n' : ' ';
  return shorten(`${strong(/\w$/.test(username) ? `${username}:` : plain(username))}${gap}${text}`, MAX_TEXT);
}

type Mail = (body: string | undefined, files: Parameters<typeof send>[2]['files']) => Promise<Posted[]>;

function mailOf(deps: HookDeps, hook: Hook, request: HookRequest, to: readonly string[]): Mail {
  const { rule } = hook;
  const sender: Sender = tokenSender(deps, hook.token);
  const room = { nick: rule.nick ?? undefined, password: rule.room_password ?? undefined };
  const { bounceWait, linkBase } = request;
  return (body, files) =>
    send(deps, sender, { to, letter: { type: rule.type, body }, room, files, bounceWait, linkBase });
}

/** A channel that may not be chosen is no fault: programs for Slack send one whether it means something or not. */
function recipientsOf({ rule, allows }: Hook, asked: string | undefined, channel = ''): readonly string[] {
  if (asked !== undefined && asked !== '') return [beside(rule, asked)];
  const chosen = bareJid(beside(rule, channel));
  return channel !== '' && chosen !== undefined && allows(chosen) ? [chosen] : rule.to;
}

function beside({ to }: HookRule, name: string): string {
  const plainName = name.replace(/^#/, '');
  return plainName.includes('@') ? plainName : `${plainName}@${to[0]?.replace(/^.*@/, '') ?? ''}`;
}

async function sendImages(
  { images, log }: HookDeps,
  { name, images_from: hosts, max_image_size: maxSize }: HookRule,
  urls: readonly string[],
  mail: (image: Parameters<Parameters<Images['use']>[1]>[0]) => Promise<Posted[]>,
): Promise<Posted[]> {
  if (hosts.length === 0) return [];
  const signal = AbortSignal.timeout(IMAGES_MS);
  const posted: Posted[] = [];
  for (const url of urls) {
    try {
      posted.push(...(await images.use({ url, hosts, maxSize, signal }, mail)));
    } catch (error) {
      log.warn({ hook: name, host: new URL(url).host, why: imageFault(error) }, 'hook: picture not sent');
    }
  }
  return posted;
}
