import { Refusal } from '../../../../base/errors.ts';
import { type HookFormat, type HookProgram, selectImages } from '../../hook-message.ts';
import { markdownToStyling } from '../../markdown.ts';
import { lineAt, listAt, requirePayloadObject, textAt, valueAt } from '../../payload-fields.ts';
import { joinLines } from '../../styling.ts';
import { type CardContent, formatAdaptiveCard } from './adaptive-card.ts';
import { formatMessageCard } from './message-card.ts';

const ADAPTIVE_CARD = 'application/vnd.microsoft.card.adaptive';
const MAX_CARDS = 10;

const parse: HookFormat = ({ payload }) => {
  const call = requirePayloadObject(payload, 'a program for Microsoft Teams');
  const cards = readCards(call);
  const text = joinLines(...cards.map((card) => card.text));
  const images = selectImages(cards.flatMap((card) => card.images));
  if (text !== '' || images.length > 0) return { text, images };
  throw new Refusal('body_missing', {
    text: 'The payload for Microsoft Teams has no text: expected a MessageCard, or a message with adaptive cards.',
  });
};

/** Microsoft Teams: MessageCards of incoming webhooks, and adaptive cards of incoming webhooks and workflows. */
export const teams: HookProgram = {
  parse,
  recognizes: ({ payload }) =>
    isMessageCard(payload) ||
    valueAt(payload, 'type') === 'AdaptiveCard' ||
    listAt(payload, 'attachments').slice(0, MAX_CARDS).some(isAdaptiveAttachment),
  answer: () => ({ status: 200, type: 'text/plain; charset=utf-8', body: '1' }),
};

function readCards(call: object): CardContent[] {
  if (valueAt(call, 'type') === 'AdaptiveCard') return [formatAdaptiveCard(call)];
  const attachments = listAt(call, 'attachments').slice(0, MAX_CARDS);
  if (attachments.length === 0) return [formatMessageCard(call)];
  const text = markdownToStyling(textAt(call, 'text'));
  return [
    { text, images: [] },
    ...attachments.map((attachment) => {
      const content = valueAt(attachment, 'content');
      return isAdaptiveAttachment(attachment) ? formatAdaptiveCard(content) : formatMessageCard(content);
    }),
  ];
}

function isAdaptiveAttachment(attachment: unknown): boolean {
  return lineAt(attachment, 'contentType').toLowerCase() === ADAPTIVE_CARD;
}

function isMessageCard(payload: unknown): boolean {
  return (
    valueAt(payload, '@type') === 'MessageCard' || /schema\.org\/extensions/.test(lineAt(payload, '@context'))
  );
}
