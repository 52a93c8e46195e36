/** U+2060: nothing to see, no break, and no white space, so that a directive behind it opens nothing. */
const JOINER = '\u2060';

const RUN = /(^|\s)([*_~`]+)(?![*_~`])(?=\S)/g;
const BLOCK = /^(?:>|```)/;

/**
 * Foreign text as it is, for a message with styling (XEP-0393): what in it would open a span, a quote or a code block
 * gets an invisible character before it (§5.1.1, §6). Characters that style nothing stay untouched.
 */
export function escapeStyling(text: string): string {
  return text.split('\n').map(plainLine).join('\n');
}

function plainLine(line: string): string {
  const calm = line.replace(RUN, (run: string, before: string, directives: string, place: number) => {
    const end = place + run.length;
    const closes = [...directives].some((directive) => line.lastIndexOf(directive) >= end);
    return closes ? `${before}${JOINER}${directives}` : run;
  });
  return BLOCK.test(calm) ? `${JOINER}${calm}` : calm;
}

/** Foreign text of one line in bold; as it is where bold would end inside it. */
export function bold(line: string): string {
  return line === '' || line.includes('*') ? escapeStyling(line) : `*${escapeStyling(line)}*`;
}

/** Foreign text as a quote (§5.1.3). */
export function quote(text: string): string {
  return quoteStyled(escapeStyling(text));
}

/** The same for text that is styled already. */
export function quoteStyled(text: string): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? '>' : `> ${line}`))
    .join('\n');
}

/** Lines that are not empty, one below the other. */
export function joinLines(...texts: readonly string[]): string {
  return texts.filter((text) => text !== '').join('\n');
}

/** Each line by two spaces: what follows a line that begins with `- `. */
export function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
