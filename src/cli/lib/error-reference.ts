import { type ErrorCode, errorRow, errorTable } from '../../base/errors.ts';

/** `docs/errors.md`, made from the one table that all doors answer from. */
export function errorReference(): string {
  const rows = (Object.keys(errorTable) as ErrorCode[]).map(rowOf);
  return [INTRO, '| code | HTTP | stanza error | text |', '|---|---|---|---|', ...rows, ''].join('\n');
}

const INTRO = `# Refusals

<!-- Made by \`npm run docs\` from src/base/errors.ts. Change it there. -->

Every expected "no" of Porter, at whatever door. The text is what people read where the place that refuses knows nothing
more exact. Over HTTP it is one line of \`text/plain\`, or \`application/problem+json\` with the code in it when a client
asks for that; only downloads answer with an empty body, because several clients would save the text as the file. Over
XMPP it is a stanza error of the type and condition below. The numbers of \`porter_refusals_total\` go by the same codes.
`;

function rowOf(code: ErrorCode): string {
  const { text } = errorRow(code);
  return `| \`${code}\` | ${httpWord(code)} | ${stanzaWord(code)} | ${text} |`;
}

function httpWord(code: ErrorCode): string {
  const { http, at } = errorRow(code);
  const others = Object.entries(at ?? {}).map(([endpoint, status]) => `${endpoint} ${status}`);
  return others.length === 0 ? `${http}` : `${http}; ${others.join(', ')}`;
}

function stanzaWord(code: ErrorCode): string {
  const { stanza, element } = errorRow(code);
  if (!stanza) return '–';
  const [type, condition] = stanza;
  return `${type}, \`${condition}\`${element === undefined ? '' : ` with \`<${element}/>\``}`;
}
