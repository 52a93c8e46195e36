/** U+2060: invisible and not white space, so a styling directive after it has no effect. */
const WORD_JOINER = '\u2060';

const RUN = /(^|\s)([*_~`]+)(?![*_~`])(?=\S)/g;
const BLOCK = /^(?:>|```)/;

/**
 * Escapes untrusted text for a message with styling (XEP-0393): puts an invisible character before each directive that
 * would open a span, a quote or a code block (§5.1.1, §6). Other characters stay unchanged.
 */
export function escapeStyling(text: string): string {
  return text.split('\n').map(escapeLine).join('\n');
}

function escapeLine(line: string): string {
  const escaped = line.replace(RUN, (run: string, before: string, directives: string, offset: number) => {
    const end = offset + run.length;
    const closes = [...directives].some((directive) => line.lastIndexOf(directive) >= end);
    return closes ? `${before}${WORD_JOINER}${directives}` : run;
  });
  return BLOCK.test(escaped) ? `${WORD_JOINER}${escaped}` : escaped;
}

/** Escapes one line of untrusted text and makes it bold, unless it contains a `*` that would end the span. */
export function bold(line: string): string {
  return line === '' || line.includes('*') ? escapeStyling(line) : `*${escapeStyling(line)}*`;
}

/** Escapes untrusted text and quotes it (§5.1.3). */
export function quote(text: string): string {
  return quoteStyled(escapeStyling(text));
}

/** Quotes text that is already styled or escaped. */
export function quoteStyled(text: string): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? '>' : `> ${line}`))
    .join('\n');
}

/** Returns preformatted untrusted text as a block (§5.1.2). No line inside can end the block. */
export function codeBlock(text: string): string {
  return `\`\`\`\n${text.replace(/^(?=```)/gm, WORD_JOINER)}\n\`\`\``;
}

/** Joins all texts that are not empty, with line breaks. */
export function joinLines(...texts: readonly string[]): string {
  return texts.filter((text) => text !== '').join('\n');
}

/** Indents each line by two spaces, to continue a list item. */
export function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
