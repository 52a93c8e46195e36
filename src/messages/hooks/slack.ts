import { Refusal } from '../../base/errors.ts';
import { type Format, MAX_IMAGES } from './notice.ts';
import { at, firstOf, lineAt, linkAt, listAt, sectionOf, textAt } from './read.ts';
import { blockImages, blocksText } from './slack-blocks.ts';
import { mrkdwn } from './slack-text.ts';
import { lines, plain, quoteStyled, strong } from './styling.ts';

const MAX_ATTACHMENTS = 20;

/**
 * Slack's incoming webhooks, as hundreds of tools, Mattermost and Matterbridge speak them, and Prosody's
 * mod_slack_webhooks (`text`, `username`). Blocks take the place of `text`, as Slack itself has it.
 */
export const readSlack: Format = ({ payload }) => {
  const call = typeof payload === 'string' ? { text: payload } : sectionOf(payload, 'a program for Slack');
  const attachments = listAt(call, 'attachments').slice(0, MAX_ATTACHMENTS);
  const text = lines(
    firstOf(blocksText(listAt(call, 'blocks')), bodyOf(call)),
    ...attachments.map(attachmentText),
  );
  const images = [
    ...blockImages(listAt(call, 'blocks')),
    ...attachments.flatMap((one) => [linkAt(one, 'image_url'), ...blockImages(listAt(one, 'blocks'))]),
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
  return at(call, 'mrkdwn') === false ? plain(text) : mrkdwn(text);
}

/** An attachment stands as a quote below the text; its `fallback` only where there is nothing else. */
function attachmentText(attachment: unknown): string {
  const title = lineAt(attachment, 'title');
  const fields = listAt(attachment, 'fields')
    .slice(0, MAX_ATTACHMENTS)
    .map((field) => `${strong(`${lineAt(field, 'title')}:`)} ${mrkdwn(textAt(field, 'value'))}`);
  const inside = lines(
    plain(lineAt(attachment, 'author_name')),
    title === '' ? '' : strong(title),
    linkAt(attachment, 'title_link'),
    firstOf(mrkdwn(textAt(attachment, 'text')), blocksText(listAt(attachment, 'blocks'))),
    ...fields,
    plain(lineAt(attachment, 'footer')),
  );
  const pretext = mrkdwn(textAt(attachment, 'pretext'));
  const shown = inside === '' ? '' : quoteStyled(inside);
  if (pretext === '' && shown === '') return plain(textAt(attachment, 'fallback'));
  return lines(pretext, shown);
}
