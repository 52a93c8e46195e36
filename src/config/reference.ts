import type { z } from 'zod';
import { EXAMPLE_CONFIG } from './example-config.ts';
import { configSchema } from './schema/config-schema.ts';
import { getOptionInfo, getStructure, type Structure } from './schema/structure.ts';
import type { ValueTypeInfo } from './schema/value-types.ts';

/** `docs/config.md`, made from the schema. */
export function renderConfigReference(): string {
  const structure = getStructure(configSchema);
  const keys = structure.form === 'section' ? Object.entries(structure.keys) : [];
  const single = keys.filter(([, option]) => !sectionIn(option));
  const sections = keys.filter(([, option]) => sectionIn(option));
  return [
    INTRO,
    `\`\`\`yaml\n${EXAMPLE_CONFIG.trim()}\n\`\`\`\n`,
    RULES,
    '## At the top\n',
    optionTable(single),
    ...sections.flatMap(([key, option]) => sectionPage(key, option)),
  ].join('\n');
}

const INTRO = `# Configuration: \`porter.yml\`

<!-- Made by \`npm run docs\` from src/config. Change it there. -->

Porter reads one YAML file: the one named by \`-c\`, else by \`PORTER_CONFIG\`, else \`porter.yml\` in the current folder.
\`porter init\` writes one to begin with, \`porter check\` tells everything that is wrong with it, and nothing starts
with a file that has a problem. Without any file Porter serves this machine only, for a trial: everybody on it may
upload, 100 MiB a file and 1 GiB in all.

Hardly anything of this is needed; it shows what there is:
`;

const RULES = `## How values are written

| | |
|---|---|
| sizes | \`512 KiB\`, \`10 MB\`, \`1.5 GiB\` or plain bytes; KB, MB, GB, TB count in thousands, KiB, MiB, GiB, TiB in 1024s |
| periods | \`90s\`, \`15m\`, \`1h\`, \`30d\`, \`2w\` or plain seconds; \`never\` where the table has it |
| from the environment | \`\${NAME}\` anywhere in a value; a variable that is not set is an error; \`$\${\` is a plain \`\${\` |
| secrets | any secret \`x\` may be given as \`x_file\`, the path of a file that holds it; a line break at its end is cut off |
| paths | relative ones start at the folder of \`porter.yml\`; without a file, at the current folder |
| JIDs and patterns | patterns are [RE2](https://github.com/google/re2/wiki/Syntax) regular expressions, found anywhere in the bare JID unless anchored by \`^\` and \`$\`; JIDs are in lower case |
| one or more | where it says "or list", a single value needs no brackets |

An unknown key is an error, and so is a key without a value. A section whose name has "off" as its default is off
until it is there.

SIGHUP makes a running server read the file again. One with a problem changes nothing, and the log has what \`porter
check\` would say. Some options (\`listen\`, \`storage\` and \`component\` among them) take a restart; the log names
those that did change.
`;

function sectionPage(key: string, option: z.ZodType): string[] {
  const facts = getOptionInfo(option);
  const section = sectionIn(option);
  const list = getStructure(option).form === 'list' ? listWord(getStructure(option)) : '';
  const absent = facts?.whenAbsent ?? '';
  const without = absent === '' ? '' : `Without this section: ${absent}.`;
  const intro = [`${facts?.doc ?? ''}`, without, list].filter((sentence) => sentence !== '');
  return [`## \`${key}\`\n`, `${intro.join(' ')}\n`, optionTable(flatten(section ?? {}))];
}

function listWord(structure: Structure): string {
  return structure.form === 'list' && !structure.orOne ? 'A list; each of its entries has:' : '';
}

/** The keys of the section an option holds, directly or as the entries of a list. */
function sectionIn(option: z.ZodType): Keys | undefined {
  const structure = getStructure(option);
  if (structure.form === 'list') return sectionIn(structure.item);
  return structure.form === 'section' ? structure.keys : undefined;
}

type Keys = Readonly<Record<string, z.ZodType>>;

/** Sections in sections become `bytes_per.period`, after a row of their own; what several share is told once. */
function flatten(keys: Keys, prefix = ''): [string, z.ZodType][] {
  const told: Keys[] = [];
  const inners = Object.values(keys).map(sectionIn);
  const rows: [string, z.ZodType][] = [];
  const later: [string, z.ZodType][] = [];
  for (const [key, option] of Object.entries(keys)) {
    rows.push([`${prefix}${key}`, option]);
    const inner = sectionIn(option);
    if (!inner || told.includes(inner)) continue;
    told.push(inner);
    const shared = inners.filter((other) => other === inner).length > 1;
    const many = getStructure(option).form === 'list' ? '[]' : '';
    const below = flatten(inner, shared ? `${prefix}*.` : `${prefix}${key}${many}.`);
    (shared ? later : rows).push(...below);
  }
  return [...rows, ...later];
}

function optionTable(rows: readonly (readonly [string, z.ZodType])[]): string {
  const lines = rows.map(([name, option]) => {
    const cells = [`\`${name}\``, typeWord(option), defaultWord(option), getOptionInfo(option)?.doc ?? ''];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return ['| option | type | default | what it does |', '|---|---|---|---|', ...lines, ''].join('\n');
}

function typeWord(option: z.ZodType): string {
  const structure = getStructure(option);
  if (structure.form === 'section') return 'section';
  if (structure.form === 'map') return `map to ${typeWord(structure.value)}`;
  if (structure.form === 'value') return valueWord(structure.facts);
  const item = typeWord(structure.item);
  return structure.orOne ? `${item} or list` : `list of ${item}`;
}

function valueWord({ type, bounds, secret }: ValueTypeInfo): string {
  const more = secret === true ? 'or `_file`' : bounds;
  return more === undefined ? type : `${type} (${more})`;
}

function defaultWord(option: z.ZodType): string {
  const facts = getOptionInfo(option);
  if (facts?.whenAbsent !== undefined) return facts.whenAbsent;
  const { defaultValue } = facts ?? {};
  if (defaultValue === undefined) return '**required**';
  if (Array.isArray(defaultValue)) return defaultValue.length === 0 ? 'none' : `\`${flow(defaultValue)}\``;
  if (typeof defaultValue === 'object') return sectionIn(option) ? '' : 'none';
  return `\`${defaultValue}\``;
}

// Quotes where YAML needs them inside of brackets.
function flow(list: readonly unknown[]): string {
  return `[${list.map((item) => (/^[\w./*-]+$/.test(String(item)) ? item : JSON.stringify(item))).join(', ')}]`;
}
