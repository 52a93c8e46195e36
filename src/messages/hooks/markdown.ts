import { bold, escapeStyling } from './styling.ts';

/** UTF-16 units of one marked part; bounds the work for one character. */
const MAX_PART = '{1,500}?';

/** Code, links, and emphasis of CommonMark and of chat programs, or a backslash with the character that it escapes. */
const MARKS = new RegExp(
  [
    '(?<code>`[^`\\n]+`)',
    `!?\\[(?<label>[^[\\]\\n]{0,500})\\]\\((?<link>[^\\s()<>]{1,1000})(?: "[^"\\n]{0,500}")?\\)`,
    '<(?<address>https?:\\/\\/[^\\s<>]{1,1000})>',
    `\\*\\*(?<strong>(?=\\S)[^*\\n]${MAX_PART})\\*\\*`,
    `__(?<underlined>(?=\\S)[^_\\n]${MAX_PART})__`,
    `~~(?<struck>(?=\\S)[^~\\n]${MAX_PART})~~`,
    `\\*(?<slanted>(?=\\S)[^*\\n]${MAX_PART})\\*`,
    '\\\\(?<escaped>[\\\\`*_{}[\\]()#+.!~>|-])',
  ].join('|'),
  'g',
);

const FENCE = /^\s{0,3}```/;
const HEADING = /^\s{0,3}#{1,6}\s+(.{1,500}?)\s*#*$/;
const BULLET = /^(\s*)[*+-]\s+/;

/**
 * Converts Markdown to XEP-0393: bold, italic, struck, code, quotes and blocks look the same, links become `label (URL)`,
 * headings become bold. Other syntax stays as it is, because Markdown is readable as text.
 */
export function markdownToStyling(text: string): string {
  let isCode = false;
  return text
    .split('\n')
    .map((line) => {
      const isFence = FENCE.test(line);
      if (isFence) isCode = !isCode;
      if (isFence) return line.trim();
      return isCode ? line : convertLine(line);
    })
    .join('\n');
}

function convertLine(line: string): string {
  const heading = HEADING.exec(line)?.[1];
  if (heading !== undefined) return bold(stripMarks(heading));
  return convertMarks(line.replace(BULLET, '$1- '));
}

function convertMarks(line: string): string {
  return line.replace(MARKS, (all: string, ...rest: unknown[]) => convertMark(all, lastGroups(rest)));
}

type MarkGroups = Readonly<Record<string, string | undefined>>;

function lastGroups(rest: readonly unknown[]): MarkGroups {
  return (rest.at(-1) ?? {}) as MarkGroups;
}

function convertMark(all: string, groups: MarkGroups): string {
  const { link, label, address, strong, underlined, struck, slanted, escaped } = groups;
  if (link !== undefined) return formatLink(convertMarks(label ?? ''), link);
  if (address !== undefined) return address;
  if (strong !== undefined) return `*${convertMarks(strong)}*`;
  if (underlined !== undefined) return `*${convertMarks(underlined)}*`;
  if (struck !== undefined) return `~${convertMarks(struck)}~`;
  if (slanted !== undefined) return `_${convertMarks(slanted)}_`;
  return escaped === undefined ? all : escapeStyling(escaped);
}

function formatLink(label: string, link: string): string {
  if (label === '' || label === link) return link;
  return `${label} (${link})`;
}

/** Returns the text of a heading, which becomes bold as a whole. */
function stripMarks(line: string): string {
  return convertMarks(line).replace(/(^|\s)[*_~]+(?=\S)|(\S)[*_~]+(?=\s|$)/g, '$1$2');
}
