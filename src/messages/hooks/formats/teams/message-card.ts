import { markdownToStyling } from '../../markdown.ts';
import { firstNonEmpty, lineAt, linkAt, listAt, textAt } from '../../payload-fields.ts';
import { bold, escapeStyling, joinLines } from '../../styling.ts';
import type { CardContent } from './adaptive-card.ts';

const MAX_SECTIONS = 20;
const MAX_FACTS = 50;
const MAX_ACTIONS = 6;

/**
 * Formats a MessageCard ("legacy actionable message card" of Microsoft's documentation). Of its actions, those that open
 * a page become links.
 */
export function formatMessageCard(card: unknown): CardContent {
  const sections = listAt(card, 'sections').slice(0, MAX_SECTIONS);
  const title = lineAt(card, 'title');
  const text = joinLines(
    title === '' ? '' : bold(title),
    convert(textAt(card, 'text')),
    ...sections.map(formatSection),
    ...formatActions(card),
  );
  return {
    text: firstNonEmpty(text, escapeStyling(textAt(card, 'summary'))),
    images: sections.flatMap((section) => [
      linkAt(section, 'heroImage', 'image'),
      ...listAt(section, 'images')
        .slice(0, MAX_SECTIONS)
        .map((image) => linkAt(image, 'image')),
    ]),
  };
}

function formatSection(section: unknown): string {
  const title = firstNonEmpty(lineAt(section, 'title'), lineAt(section, 'activityTitle'));
  const activity = lineAt(section, 'title') === '' ? '' : lineAt(section, 'activityTitle');
  const facts = listAt(section, 'facts').slice(0, MAX_FACTS);
  return joinLines(
    title === '' ? '' : boldMarkdown(title),
    convert(activity),
    convert(textAt(section, 'activitySubtitle')),
    convert(textAt(section, 'activityText')),
    convert(textAt(section, 'text')),
    ...facts.map((fact) => formatFact(lineAt(fact, 'name'), textAt(fact, 'value'))),
    ...formatActions(section),
  );
}

/** `*Name:* value` */
function formatFact(name: string, value: string): string {
  const shown = convert(value);
  return name === '' ? shown : `${bold(`${name.replace(/:$/, '')}:`)} ${shown}`.trim();
}

function formatActions(holder: unknown): string[] {
  return listAt(holder, 'potentialAction')
    .slice(0, MAX_ACTIONS)
    .map((action) => {
      const link = firstNonEmpty(linkAt(action, 'targets', 0, 'uri'), linkAt(action, 'target', 0));
      const name = escapeStyling(lineAt(action, 'name'));
      return link === '' || name === '' ? link : `${name}: ${link}`;
    });
}

/** Makes a title bold, unless it contains Markdown. */
function boldMarkdown(title: string): string {
  const converted = convert(title);
  return converted === title ? bold(title) : converted;
}

/** Programs write some HTML into these texts. */
function convert(text: string): string {
  return markdownToStyling(
    text.replace(/<br\s?\/?>/gi, '\n').replace(/<\/?(?:p|b|i|strong|em|div|span)>/gi, ''),
  );
}
