import { Refusal } from '../../../base/errors.ts';
import { type HookFormat, MAX_IMAGES } from '../hook-message.ts';
import {
  firstNonEmpty,
  lineAt,
  linkAt,
  listAt,
  requirePayloadObject,
  textAt,
  valueAt,
} from '../payload-fields.ts';
import { bold, escapeStyling, joinLines, quoteStyled } from '../styling.ts';
import { findBlockImages, formatBlocks } from './slack-blocks.ts';
import { mrkdwnToStyling } from './slack-text.ts';

const MAX_ATTACHMENTS = 20;

/**
 * Slack's incoming webhooks, as hundreds of tools, Mattermost and Matterbridge speak them, and Prosody's
 * mod_slack_webhooks (`text`, `username`). Blocks take the place of `text`, as Slack itself has it.
 */
export const parseSlack: HookFormat = ({ payload }) => {
  const call =
    typeof payload === 'string' ? { text: payload } : requirePayloadObject(payload, 'a program for Slack');
  const attachments = listAt(call, 'attachments').slice(0, MAX_ATTACHMENTS);
  const text = joinLines(
    firstNonEmpty(formatBlocks(listAt(call, 'blocks')), bodyOf(call)),
    ...attachments.map(attachmentText),
  );
  const images = [
    ...findBlockImages(listAt(call, 'blocks')),
    ...attachments.flatMap((one) => [linkAt(one, 'image_url'), ...findBlockImages(listAt(one, 'blocks'))]),
  ].filter((link) => link !== '');
  if (text === '' && images.length === 0) throw new Refusal('body_missing', { text: 'no_text' });
  const username = lineAt(call, 'username');
  const channel = lineAt(call, 'channel');
  return {
    text,
    images: [...new Set(images)].slice(0, MAX_IMAGES),
    ...(username !== '' && { username }),
    ...(channel !== '' && { channel }),
  };
};

function bodyOf(call: unknown): string {
  const text = textAt(call, 'text');
  return valueAt(call, 'mrkdwn') === false ? escapeStyling(text) : mrkdwnToStyling(text);
}

/** An attachment stands as a quote below the text; its `fallback` only where there is nothing else. */
function attachmentText(attachment: unknown): string {
  const title = lineAt(attachment, 'title');
  const fields = listAt(attachment, 'fields')
    .slice(0, MAX_ATTACHMENTS)
    .map((field) => `${bold(`${lineAt(field, 'title')}:`)} ${mrkdwnToStyling(textAt(field, 'value'))}`);
  const inside = joinLines(
    escapeStyling(lineAt(attachment, 'author_name')),
    title === '' ? '' : bold(title),
    linkAt(attachment, 'title_link'),
    firstNonEmpty(mrkdwnToStyling(textAt(attachment, 'text')), formatBlocks(listAt(attachment, 'blocks'))),
    ...fields,
    escapeStyling(lineAt(attachment, 'footer')),
  );
  const pretext = mrkdwnToStyling(textAt(attachment, 'pretext'));
  const shown = inside === '' ? '' : quoteStyled(inside);
  if (pretext === '' && shown === '') return escapeStyling(textAt(attachment, 'fallback'));
  return joinLines(pretext, shown);
}
