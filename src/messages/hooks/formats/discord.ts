import { Refusal } from '../../../base/errors.ts';
import { type HookFormat, type HookProgram, selectImages } from '../hook-message.ts';
import { markdownToStyling } from '../markdown.ts';
import {
  firstNonEmpty,
  hasFields,
  lineAt,
  linkAt,
  listAt,
  requirePayloadObject,
  textAt,
  valueAt,
} from '../payload-fields.ts';
import { bold, escapeStyling, joinLines, quoteStyled } from '../styling.ts';

/** Discord's own limits. */
const MAX_EMBEDS = 10;
const MAX_FIELDS = 25;

const parse: HookFormat = ({ payload }) => {
  const call =
    typeof payload === 'string'
      ? { content: payload }
      : requirePayloadObject(payload, 'a program for Discord');
  const embeds = listAt(call, 'embeds').slice(0, MAX_EMBEDS);
  const text = joinLines(convert(textAt(call, 'content')), ...embeds.map(formatEmbed));
  const images = selectImages(embeds.map((embed) => linkAt(embed, 'image', 'url')));
  if (text === '' && images.length === 0) {
    throw new Refusal('body_missing', {
      text: 'The payload for Discord has no text: expected "content" or "embeds".',
    });
  }
  const username = lineAt(call, 'username');
  return { text, images, ...(username !== '' && { username }) };
};

/** Discord's webhooks ("Execute Webhook" in its developer documentation). */
export const discord: HookProgram = {
  parse,
  recognizes: ({ payload }) =>
    hasFields(payload, 'embeds') ||
    (hasFields(payload, 'content') && (hasFields(payload, 'username') || hasFields(payload, 'avatar_url'))),
  // With `?wait=true` a program reads the message that was created.
  answer: ({ query }, id) =>
    query('wait') === 'true'
      ? { status: 200, type: 'application/json; charset=utf-8', body: `${JSON.stringify({ id })}\n` }
      : { status: 204, body: '' },
};

function formatEmbed(embed: unknown): string {
  const title = lineAt(embed, 'title');
  const fields = listAt(embed, 'fields').slice(0, MAX_FIELDS);
  const inside = joinLines(
    escapeStyling(lineAt(embed, 'author', 'name')),
    title === '' ? '' : bold(title),
    linkAt(embed, 'url'),
    convert(textAt(embed, 'description')),
    ...fields.map(formatField),
    escapeStyling(lineAt(embed, 'footer', 'text')),
  );
  return inside === '' ? '' : quoteStyled(inside);
}

function formatField(field: unknown): string {
  const name = lineAt(field, 'name');
  const value = convert(textAt(field, 'value'));
  if (name === '') return value;
  const label = bold(`${name.replace(/:$/, '')}:`);
  const isShort = valueAt(field, 'inline') === true || !value.includes('\n');
  return value === '' ? label : `${label}${isShort ? ' ' : '\n'}${value}`;
}

/** `<@1>`, `<@&1>`, `<#1>`, `<:smile:1>`, `<t:1618953630:R>` */
const MENTION = /<(?:(@[!&]?|#)(\d{1,20})|a?(:\w{1,50}:)\d{1,20}|t:(\d{1,11})(?::\w)?)>/g;

function convert(markdown: string): string {
  const text = markdown.replace(
    MENTION,
    (_all, kind?: string, id?: string, emoji?: string, seconds?: string) =>
      firstNonEmpty(emoji ?? '', seconds === undefined ? '' : formatTime(seconds)) ||
      `${kind?.[0] ?? ''}${id ?? ''}`,
  );
  return markdownToStyling(text);
}

function formatTime(seconds: string): string {
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
