import { Refusal } from '../../../../base/errors.ts';
import { type HookFormat, type HookProgram, selectImages } from '../../hook-message.ts';
import {
  firstNonEmpty,
  hasFields,
  lineAt,
  linkAt,
  listAt,
  requirePayloadObject,
  textAt,
  valueAt,
} from '../../payload-fields.ts';
import { bold, escapeStyling, joinLines, quoteStyled } from '../../styling.ts';
import { findBlockImages, formatBlocks } from './blocks.ts';
import { mrkdwnToStyling } from './text.ts';

const MAX_ATTACHMENTS = 20;

/** Blocks replace `text`, as in Slack. */
const parse: HookFormat = ({ payload }) => {
  const call =
    typeof payload === 'string' ? { text: payload } : requirePayloadObject(payload, 'a program for Slack');
  const attachments = listAt(call, 'attachments').slice(0, MAX_ATTACHMENTS);
  const text = joinLines(
    firstNonEmpty(formatBlocks(listAt(call, 'blocks')), formatBody(call)),
    ...attachments.map(formatAttachment),
  );
  const images = selectImages([
    ...findBlockImages(listAt(call, 'blocks')),
    ...attachments.flatMap((attachment) => [
      linkAt(attachment, 'image_url'),
      ...findBlockImages(listAt(attachment, 'blocks')),
    ]),
  ]);
  if (text === '' && images.length === 0) throw new Refusal('body_missing', { text: 'no_text' });
  const username = lineAt(call, 'username');
  const channel = lineAt(call, 'channel');
  return {
    text,
    images,
    ...(username !== '' && { username }),
    ...(channel !== '' && { channel }),
  };
};

/** Slack's incoming webhooks, which many tools, Mattermost, Matterbridge and Prosody's mod_slack_webhooks use. */
export const slack: HookProgram = {
  parse,
  recognizes: ({ payload }) =>
    hasFields(payload, 'attachments') ||
    hasFields(payload, 'blocks') ||
    (hasFields(payload, 'text') && (hasFields(payload, 'username') || hasFields(payload, 'channel'))),
  // Some programs accept only Slack's own answer (docs/protocols.md, "mod_rest").
  answer: () => ({ status: 200, type: 'text/plain; charset=utf-8', body: 'ok' }),
};

function formatBody(call: unknown): string {
  const text = textAt(call, 'text');
  return valueAt(call, 'mrkdwn') === false ? escapeStyling(text) : mrkdwnToStyling(text);
}

/** Shows an attachment as a quote below the text. Uses `fallback` only if there is nothing else. */
function formatAttachment(attachment: unknown): string {
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
