import { markdownToStyling } from '../../markdown.ts';
import { firstNonEmpty, lineAt, linkAt, listAt, textAt, valueAt } from '../../payload-fields.ts';
import { bold, codeBlock, escapeStyling, joinLines } from '../../styling.ts';

export interface CardContent {
  /** Text with XEP-0393 styling. */
  readonly text: string;
  readonly images: readonly string[];
}

/** Nesting of containers. */
const MAX_DEPTH = 8;
const MAX_ELEMENTS = 50;
/** Limit for the whole card, because nested lists could multiply the other limits. */
const MAX_VISITED = 500;

interface Walk {
  visited: number;
  readonly images: string[];
}

/** Formats the text of an adaptive card (adaptivecards.io/explorer). Inputs are left out; actions with a URL become links. */
export function formatAdaptiveCard(card: unknown): CardContent {
  const walk: Walk = { visited: 0, images: [] };
  const text = joinLines(formatElements(listAt(card, 'body'), walk, 0), formatActions(card, walk, 0));
  const fallback = escapeStyling(firstNonEmpty(textAt(card, 'fallbackText'), textAt(card, 'speak')));
  return { text: firstNonEmpty(text, fallback), images: walk.images };
}

function formatElements(elements: readonly unknown[], walk: Walk, depth: number): string {
  if (depth > MAX_DEPTH) return '';
  return joinLines(...elements.slice(0, MAX_ELEMENTS).map((element) => formatElement(element, walk, depth)));
}

function formatElement(element: unknown, walk: Walk, depth: number): string {
  walk.visited += 1;
  if (walk.visited > MAX_VISITED || valueAt(element, 'isVisible') === false) return '';
  switch (valueAt(element, 'type')) {
    case 'TextBlock':
      return formatTextBlock(element);
    case 'RichTextBlock':
      return formatInlines(element);
    case 'FactSet':
      return joinLines(...childrenOf(element, 'facts').map(formatFact));
    case 'CodeBlock':
      return codeBlock(textAt(element, 'codeSnippet'));
    case 'Image':
      walk.images.push(linkAt(element, 'url'));
      return '';
    case 'ImageSet':
      return formatElements(childrenOf(element, 'images'), walk, depth + 1);
    case 'Table':
      return joinLines(...childrenOf(element, 'rows').map((row) => formatRow(row, 'cells', walk, depth)));
    case 'ColumnSet':
      return formatRow(element, 'columns', walk, depth);
    case 'ActionSet':
      return formatActions(element, walk, depth);
    default:
      return formatElements(childrenOf(element, 'items'), walk, depth + 1);
  }
}

function childrenOf(element: unknown, key: string): readonly unknown[] {
  return listAt(element, key).slice(0, MAX_ELEMENTS);
}

function formatTextBlock(block: unknown): string {
  const text = textAt(block, 'text');
  const isTitle = valueAt(block, 'style') === 'heading' || /^bolder$/i.test(lineAt(block, 'weight'));
  const styled = markdownToStyling(text);
  return isTitle && styled === text && !text.includes('\n') ? bold(text) : styled;
}

function formatInlines(block: unknown): string {
  return childrenOf(block, 'inlines')
    .map((inline) => {
      const raw = typeof inline === 'string' ? inline : valueAt(inline, 'text');
      // White space separates the parts.
      const text = typeof raw === 'string' ? raw.slice(0, 2000) : '';
      const link = linkAt(inline, 'selectAction', 'url');
      return link === '' ? escapeStyling(text) : `${escapeStyling(text)} (${link})`;
    })
    .join('')
    .trim();
}

/** Short cells share a line. */
function formatRow(row: unknown, key: string, walk: Walk, depth: number): string {
  const cells = childrenOf(row, key)
    .map((cell) => formatElements(childrenOf(cell, 'items'), walk, depth + 1))
    .filter((cell) => cell !== '');
  return cells.some((cell) => cell.includes('\n')) ? joinLines(...cells) : cells.join(' | ');
}

function formatFact(fact: unknown): string {
  const name = lineAt(fact, 'title').replace(/:$/, '');
  const value = markdownToStyling(textAt(fact, 'value'));
  return name === '' ? value : `${bold(`${name}:`)} ${value}`.trim();
}

function formatActions(holder: unknown, walk: Walk, depth: number): string {
  const actions = childrenOf(holder, 'actions').map((action) => {
    const card = valueAt(action, 'card');
    if (card instanceof Object) return formatElements(childrenOf(card, 'body'), walk, depth + 1);
    const link = linkAt(action, 'url');
    const title = escapeStyling(lineAt(action, 'title'));
    return link === '' || title === '' ? link : `${title}: ${link}`;
  });
  return joinLines(...actions);
}
