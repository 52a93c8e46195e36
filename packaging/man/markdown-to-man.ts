/** The head of a man page. */
export interface ManPage {
  /** The name of the page, such as `porter`. */
  readonly name: string;
  /** 1 = commands, 5 = file formats. */
  readonly section: number;
  readonly summary: string;
  /** The date of the release, `YYYY-MM-DD`. */
  readonly date: string;
  readonly version: string;
}

/**
 * Renders a generated page of docs/ as a man page. Supports the Markdown of these pages: headings, paragraphs, tables, code blocks,
 * `code`, **bold** and links. Replaces the first heading by the head of the man page.
 */
export function markdownToMan(page: ManPage, markdown: string): string {
  const { name, section, summary, date, version } = page;
  const head = [
    `.TH "${name.toUpperCase()}" "${section}" "${date}" "porter ${version}" ""`,
    '.SH NAME',
    `${escapeText(name)} \\- ${escapeText(summary)}`,
    '.SH DESCRIPTION',
  ];
  const text = markdown.replace(/<!--.*?-->\n?/gs, '').replace(/^# .*\n/, '');
  return `${[...head, ...renderBlocks(text)].join('\n')}\n`;
}

function renderBlocks(markdown: string): string[] {
  // Code blocks may contain empty lines, so they are cut out before the text is split.
  const parts = markdown.split(/^```\w*\n(.*?)^```$/gms);
  return parts.flatMap((part, index) => (index % 2 === 1 ? renderCode(part) : renderText(part)));
}

function renderText(text: string): string[] {
  return text
    .split(/\n{2,}/)
    .map((block) => block.trim())
    .filter((block) => block !== '')
    .flatMap((block) => {
      const heading = /^(#+) (.*)$/s.exec(block);
      if (heading) return [`.${heading[1] === '##' ? 'SH' : 'SS'} "${renderInline(heading[2] ?? '')}"`];
      if (block.startsWith('|')) return renderTable(block);
      return ['.PP', ...block.split('\n').map(renderLine)];
    });
}

/** Renders the first cell of each row as a term, and the other cells below it. */
function renderTable(block: string): string[] {
  const [header = [], , ...rows] = block.split('\n').map(splitRow);
  return rows.flatMap(([term = '', ...cells]) => {
    const notes = cells.slice(0, -1).flatMap((cell, index) => describeCell(header[index + 1] ?? '', cell));
    const details = notes.length === 0 ? [] : [`(${notes.join('; ')})`, '.br'];
    return ['.TP', renderLine(term), ...details, renderLine(cells.at(-1) ?? '')];
  });
}

function describeCell(title: string, cell: string): string[] {
  if (cell === '') return [];
  return [title === 'default' ? `default: ${renderInline(cell)}` : renderInline(cell)];
}

function splitRow(row: string): string[] {
  return row
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));
}

function renderCode(code: string): string[] {
  const lines = code.replace(/\n$/, '').split('\n');
  return ['.PP', '.RS 4', '.nf', ...lines.map((line) => protectLine(escapeText(line))), '.fi', '.RE'];
}

function renderLine(line: string): string {
  return protectLine(renderInline(line));
}

function renderInline(text: string): string {
  const withoutLinks = text.replace(/\[([^\]]+)\]\(([^)]+)\)/g, (_link, label: string, target: string) =>
    /^https?:/.test(target) ? `${label} <${target}>` : label,
  );
  return withoutLinks
    .split(/(`[^`]+`)/)
    .map((part, index) => {
      if (index % 2 === 1) return `\\fB${escapeText(part.slice(1, -1))}\\fR`;
      return escapeText(part).replace(/\*\*(.+?)\*\*/g, '\\fB$1\\fR');
    })
    .join('')
    .replaceAll('"', '\\(dq');
}

function escapeText(text: string): string {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('…', '...').replaceAll('–', '\\(en');
}

/** Protects a line that begins with `.` or `'`, which troff would read as a request. */
function protectLine(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}
