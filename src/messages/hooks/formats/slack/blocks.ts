import { firstNonEmpty, lineAt, linkAt, listAt, textAt, valueAt } from '../../payload-fields.ts';
import { bold, codeBlock, escapeStyling, joinLines, quoteStyled } from '../../styling.ts';
import { mrkdwnToStyling } from './text.ts';

const MAX_BLOCKS = 50;
/** Nesting of lists and quotes in rich text. */
const MAX_DEPTH = 8;
/** UTF-16 units. */
const MAX_PART = 8000;

/** Converts the text of Block Kit. Interactive elements are left out. */
export function formatBlocks(blocks: readonly unknown[]): string {
  return joinLines(...blocks.slice(0, MAX_BLOCKS).map(blockText));
}

export function findBlockImages(blocks: readonly unknown[]): string[] {
  return blocks
    .slice(0, MAX_BLOCKS)
    .flatMap((block) => [block, valueAt(block, 'accessory')])
    .filter((block) => valueAt(block, 'type') === 'image')
    .map((block) => linkAt(block, 'image_url'));
}

function blockText(block: unknown): string {
  switch (valueAt(block, 'type')) {
    case 'header':
      return bold(lineAt(block, 'text', 'text'));
    case 'section':
      return joinLines(objectText(valueAt(block, 'text')), ...elements(block, 'fields').map(objectText));
    case 'context':
      return elements(block, 'elements').map(objectText).join(' ').trim();
    case 'markdown':
      return textAt(block, 'text');
    case 'divider':
      return '---';
    case 'image':
    case 'video':
      return escapeStyling(firstNonEmpty(lineAt(block, 'title', 'text'), lineAt(block, 'alt_text')));
    case 'actions':
      return joinLines(...elements(block, 'elements').map(buttonText));
    case 'rich_text':
      return joinLines(...elements(block, 'elements').map((element) => richText(element, 0)));
    default:
      return '';
  }
}

function elements(block: unknown, key: string): readonly unknown[] {
  return listAt(block, key).slice(0, MAX_BLOCKS);
}

/** A text object. `plain_text` is shown without styling. */
function objectText(object: unknown): string {
  if (valueAt(object, 'type') === 'image') return '';
  const text = textAt(object, 'text');
  return valueAt(object, 'type') === 'plain_text' ? escapeStyling(text) : mrkdwnToStyling(text);
}

/** A button with a URL becomes a link. */
function buttonText(button: unknown): string {
  const link = linkAt(button, 'url');
  return link === '' ? '' : `${escapeStyling(lineAt(button, 'text', 'text'))}: ${link}`;
}

function richText(element: unknown, depth: number): string {
  if (depth > MAX_DEPTH) return '';
  const inner = elements(element, 'elements');
  const text = () => inner.map(richPart).join('');
  switch (valueAt(element, 'type')) {
    case 'rich_text_section':
      return text();
    case 'rich_text_quote':
      return quoteStyled(text());
    case 'rich_text_preformatted':
      return codeBlock(inner.map((part) => rawText(part)).join(''));
    case 'rich_text_list': {
      const ordered = valueAt(element, 'style') === 'ordered';
      return inner
        .map((item, index) => `${ordered ? `${index + 1}.` : '-'} ${richText(item, depth + 1)}`)
        .join('\n');
    }
    default:
      return '';
  }
}

function rawText(part: unknown): string {
  return firstNonEmpty(textOf(valueAt(part, 'text')), textOf(valueAt(part, 'url')));
}

/** `String()` would call the `toString` of a hostile payload. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, MAX_PART) : '';
}

/** Keeps white space, because it separates the parts. */
function richPart(part: unknown): string {
  const text = textOf(valueAt(part, 'text'));
  switch (valueAt(part, 'type')) {
    case 'text':
      return valueAt(part, 'style', 'bold') === true && text.trim() === text
        ? bold(text)
        : escapeStyling(text);
    case 'link': {
      const link = linkAt(part, 'url');
      return text === '' || text === link ? link : `${escapeStyling(text)} (${link})`;
    }
    case 'emoji':
      return emoji(lineAt(part, 'unicode')) || `:${lineAt(part, 'name')}:`;
    case 'user':
    case 'usergroup':
      return `@${firstNonEmpty(lineAt(part, 'user_id'), lineAt(part, 'usergroup_id'))}`;
    case 'channel':
      return `#${lineAt(part, 'channel_id')}`;
    case 'broadcast':
      return `@${lineAt(part, 'range')}`;
    default:
      return escapeStyling(text);
  }
}

/** `1f44b-1f3fb` */
function emoji(codes: string): string {
  if (!/^[0-9a-f]{2,6}(?:-[0-9a-f]{2,6}){0,10}$/i.test(codes)) return '';
  const points = codes.split('-').map((code) => Number.parseInt(code, 16));
  return points.every((point) => point <= 0x10ffff) ? String.fromCodePoint(...points) : '';
}
