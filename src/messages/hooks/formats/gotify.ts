import { Refusal } from '../../../base/errors.ts';
import { type HookFormat, type HookProgram, selectImages } from '../hook-message.ts';
import { markdownToStyling } from '../markdown.ts';
import { hasFields, lineAt, linkAt, textAt, valueAt } from '../payload-fields.ts';
import { bold, escapeStyling, joinLines } from '../styling.ts';

/** `extras` (gotify.net/docs/msgextras). */
const DISPLAY = 'client::display';
const NOTIFICATION = 'client::notification';

const parse: HookFormat = ({ payload }) => {
  const message = textAt(payload, 'message');
  if (message === '') {
    throw new Refusal('body_missing', { text: 'The payload for Gotify has no text: expected "message".' });
  }
  const isMarkdown = valueAt(payload, 'extras', DISPLAY, 'contentType') === 'text/markdown';
  const title = lineAt(payload, 'title');
  const link = linkAt(payload, 'extras', NOTIFICATION, 'click', 'url');
  return {
    text: joinLines(
      title === '' ? '' : bold(title),
      isMarkdown ? markdownToStyling(message) : escapeStyling(message),
      message.includes(link) ? '' : link,
    ),
    images: selectImages([linkAt(payload, 'extras', NOTIFICATION, 'bigImageUrl')]),
  };
};

/** Gotify's `POST /message`, in JSON or as a form. Many programs, such as Proxmox VE, send to it. */
export const gotify: HookProgram = {
  parse,
  recognizes: ({ payload, header }) =>
    hasFields(payload, 'message') &&
    (header('x-gotify-key') !== undefined ||
      (hasFields(payload, 'priority', 'extras') && !hasFields(payload, 'topic'))),
  answer: ({ payload }, id) => ({
    status: 200,
    type: 'application/json; charset=utf-8',
    body: `${JSON.stringify({
      id: 0,
      appid: 0,
      title: lineAt(payload, 'title'),
      message: textAt(payload, 'message'),
      priority: Number(valueAt(payload, 'priority')) || 0,
      extras: { porter: { id } },
      date: new Date().toISOString(),
    })}\n`,
  }),
};
