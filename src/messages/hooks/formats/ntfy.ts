import { Refusal } from '../../../base/errors.ts';
import { type HookFormat, type HookProgram, selectImages, type WebhookEvent } from '../hook-message.ts';
import { markdownToStyling } from '../markdown.ts';
import {
  firstNonEmpty,
  hasFields,
  lineAt,
  linkAt,
  listAt,
  textAt,
  toOneLine,
  valueAt,
} from '../payload-fields.ts';
import { bold, escapeStyling, joinLines } from '../styling.ts';

/** Names of headers and parameters (docs.ntfy.sh/publish, "List of all parameters"), in lower case. */
const ALIASES = {
  message: ['x-message', 'message', 'm'],
  title: ['x-title', 'title', 't', 'ti'],
  priority: ['x-priority', 'priority', 'prio', 'p'],
  tags: ['x-tags', 'tags', 'tag', 'ta'],
  click: ['x-click', 'click'],
  attach: ['x-attach', 'attach', 'a'],
  markdown: ['x-markdown', 'markdown', 'md'],
} as const;

/** Headers by which `auto` recognizes ntfy. `Priority` is not one of them, because it has another meaning in RFC 9218. */
const NTFY_HEADERS = ['x-title', 'title', 'x-tags', 'tags', 'x-message', 'x-click'];

/** Common tags that ntfy shows as emojis. Others are shown as words. */
const EMOJIS: Readonly<Record<string, string>> = {
  warning: '⚠️',
  rotating_light: '🚨',
  skull: '💀',
  fire: '🔥',
  tada: '🎉',
  no_entry: '⛔',
  heavy_check_mark: '✔️',
  white_check_mark: '✅',
  x: '❌',
  green_circle: '🟢',
  yellow_circle: '🟡',
  red_circle: '🔴',
  loudspeaker: '📢',
  computer: '💻',
  floppy_disk: '💾',
  information_source: 'ℹ️',
  bell: '🔔',
};

const parse: HookFormat = (event) => {
  const { payload } = event;
  const isJson = payload instanceof Object;
  const read = (name: keyof typeof ALIASES) => (isJson ? textAt(payload, name) : parameterOf(event, name));
  const body = typeof payload === 'string' ? textAt({ payload }, 'payload') : '';
  const message = firstNonEmpty(read('message'), body);
  const title = toOneLine(read('title'));
  if (message === '' && title === '') {
    throw new Refusal('body_missing', {
      text: 'The message for ntfy has no text: expected a body or "message".',
    });
  }
  const tags = isJson
    ? listAt(payload, 'tags').map((tag) => lineAt({ tag }, 'tag'))
    : read('tags').split(',');
  const attachment = isJson ? linkAt(payload, 'attach') : linkAt({ link: read('attach') }, 'link');
  const isMarkdown = isJson
    ? valueAt(payload, 'markdown') === true
    : /^(?:1|true|yes)$/i.test(read('markdown'));
  return {
    text: joinLines(
      bold(formatHeadline(title, read('priority'), tags)),
      isMarkdown ? markdownToStyling(message) : escapeStyling(message),
      linkAt({ link: read('click') }, 'link'),
      attachment,
    ),
    images: selectImages([attachment]),
  };
};

/** ntfy's publishing, as text with headers or parameters, or as JSON. */
export const ntfy: HookProgram = {
  parse,
  recognizes: ({ payload, header }) =>
    payload instanceof Object
      ? hasFields(payload, 'topic') && (hasFields(payload, 'message') || hasFields(payload, 'title'))
      : NTFY_HEADERS.some((name) => header(name) !== undefined),
  answer: ({ payload }, id) => ({
    status: 200,
    type: 'application/json; charset=utf-8',
    body: `${JSON.stringify({
      id,
      time: Math.floor(Date.now() / 1000),
      event: 'message',
      topic: lineAt(payload, 'topic'),
      message: typeof payload === 'string' ? textAt({ payload }, 'payload') : textAt(payload, 'message'),
    })}\n`,
  }),
};

function parameterOf({ header, query }: WebhookEvent, name: keyof typeof ALIASES): string {
  const values = ALIASES[name].map((alias) => header(alias) ?? query(alias));
  const text = decodeHeader(values.find((value) => value !== undefined) ?? '');
  return textAt({ text: name === 'message' ? text.replaceAll('\\n', '\n') : text }, 'text');
}

/** 1 and 2 are low, 3 is the default, 4 is high, 5 is urgent. */
function formatHeadline(title: string, priority: string, tags: readonly string[]): string {
  const isUrgent = /^(?:[45]|high|urgent|max)$/i.test(priority);
  const known = tags.map((tag) => tag.trim()).filter((tag) => Object.hasOwn(EMOJIS, tag));
  const words = tags.map((tag) => tag.trim()).filter((tag) => tag !== '' && !Object.hasOwn(EMOJIS, tag));
  const shown = words.slice(0, 10).map((tag) => `#${tag}`);
  return toOneLine([...known.map((tag) => EMOJIS[tag]), isUrgent ? '❗' : '', title, ...shown].join(' '));
}

/** RFC 2047, because headers are ASCII. Node passes bytes of UTF-8 as Latin-1. */
function decodeHeader(value: string): string {
  const utf8 = Buffer.from(value, 'latin1').toString('utf8');
  const text = utf8.includes('\uFFFD') ? value : utf8;
  return text.replace(
    /=\?utf-8\?(?:(b)|q)\?([^?\s]{1,2000})\?=\s?/gi,
    (_all, isBase64: string | undefined, encoded: string) =>
      isBase64 ? Buffer.from(encoded, 'base64').toString('utf8') : decodeQuotedPrintable(encoded),
  );
}

function decodeQuotedPrintable(encoded: string): string {
  const bytes = encoded
    .replaceAll('_', ' ')
    .replace(/=([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
