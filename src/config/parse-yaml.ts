import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLError,
} from 'yaml';
import type { ConfigProblem } from './config-error.ts';

/** A YAML file as plain values, with the line number of each. */
export interface YamlSource {
  /** Objects, lists, strings, numbers, booleans. Keys without a value are left out. */
  readonly value: unknown;
  /** Lines from 1 by key path: `access[0].jid`; the whole file is `''`. */
  readonly lines: Readonly<Record<string, number>>;
  readonly problems: readonly ConfigProblem[];
  /** Top-level keys whose sections are not valid YAML. `value` is without them. */
  readonly broken: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();

/** Parses YAML 1.2. Returns errors in `problems` and does not throw them. */
export function parseYaml(text: string): YamlSource {
  try {
    return parse(text);
  } catch (error) {
    // The parser and the code after it are recursive: deep nesting exceeds the stack.
    if (!(error instanceof RangeError)) throw error;
    return {
      value: {},
      lines: {},
      problems: [{ line: 1, key: '', message: 'the file is nested too deeply' }],
      broken: NONE,
    };
  }
}

function parse(text: string): YamlSource {
  const { text: spaced, problems } = replaceTabs(text);
  const whole = read(spaced);
  const asRead = ({ document, counter, faults }: ParsedText, broken: ReadonlySet<string>): YamlSource => {
    const source = new Reading(document, counter).whole();
    const faultProblems = faults.map((fault) => problemOf(fault, counter));
    return { ...source, problems: [...problems, ...faultProblems, ...source.problems], broken };
  };
  // After a fault that leaves the structure intact, all other problems are reported in the same round.
  if (whole.isReadable) return asRead(whole, NONE);
  // Any other fault makes its section unusable. The other sections are still read.
  const { rest, brokenSections } = removeBrokenSections(spaced);
  const remainder = read(rest);
  if (brokenSections.length === 0 || !remainder.isReadable) {
    problems.push(...whole.faults.map((fault) => problemOf(fault, whole.counter)));
    return { value: {}, lines: {}, problems, broken: NONE };
  }
  problems.push(...brokenSections.map(({ problem }) => problem));
  return asRead(remainder, new Set(brokenSections.map(({ name }) => name)));
}

interface ParsedText {
  readonly document: Document;
  readonly counter: LineCounter;
  readonly faults: readonly YAMLError[];
  /** True if the values can be read in spite of the faults. */
  readonly isReadable: boolean;
}

function read(text: string): ParsedText {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: false });
  const faults = [...document.errors, ...document.warnings];
  return { document, counter, faults, isReadable: faults.every(({ code }) => HARMLESS.has(code)) };
}

/** A line that begins a section of a block mapping. Every other line belongs to the section above it. */
const SECTION_START = /^(["']?)([\w-]+)\1\s*:(?=\s|$)/;

/** Replaces the sections that are not valid YAML by empty lines, so that the other lines keep their numbers. */
function removeBrokenSections(text: string): {
  readonly rest: string;
  readonly brokenSections: readonly { readonly name: string; readonly problem: ConfigProblem }[];
} {
  const lines = text.split('\n');
  const starts = [...lines.keys()].filter((index) => SECTION_START.test(lines[index] ?? ''));
  const rest = [...lines];
  const brokenSections = starts.flatMap((start, index) => {
    const end = starts[index + 1] ?? lines.length;
    const section = lines.slice(start, end).join('\n').trimEnd();
    const { faults, counter } = read('\n'.repeat(start) + section);
    const fault = faults.find(({ code }) => !HARMLESS.has(code));
    if (fault === undefined) return [];
    rest.fill('', start, end);
    return [{ name: SECTION_START.exec(lines[start] ?? '')?.[2] ?? '', problem: problemOf(fault, counter) }];
  });
  return { rest: rest.join('\n'), brokenSections };
}

/** Codes of faults after which the values can still be read. */
const HARMLESS: ReadonlySet<string> = new Set(['BAD_DQ_ESCAPE']);

/** Replaces tabs in the indentation by spaces and reports the first one, because the parser would report each tab several times. */
function replaceTabs(text: string): { readonly text: string; readonly problems: ConfigProblem[] } {
  const lines = text.split('\n');
  const first = lines.findIndex(hasTab);
  if (first < 0) return { text, problems: [] };
  const message = 'indented with a tab: YAML allows only spaces';
  return {
    text: lines.map((line) => (hasTab(line) ? line.replace(/^[ \t]+/, spacesFor) : line)).join('\n'),
    problems: [{ line: first + 1, key: '', message }],
  };
}

const hasTab = (line: string): boolean => /^ *\t[ \t]*[^\s#]/.test(line);

const spacesFor = (indentation: string): string => indentation.replaceAll('\t', '  ');

const WORDS: Partial<Record<YAMLError['code'], string>> = {
  BAD_DQ_ESCAPE:
    "a backslash in double quotes must begin a valid escape; write patterns in single quotes, such as '@example\\.org$'",
  MULTIPLE_DOCS: 'a second document begins here (`---`); a config has only one',
};

function problemOf(fault: YAMLError, counter: LineCounter): ConfigProblem {
  const message = WORDS[fault.code] ?? `not valid YAML: ${fault.message}`;
  return { line: counter.linePos(fault.pos[0]).line, key: '', message };
}

/** Enough for any config, and a bound on the memory that nested aliases use. */
const MAX_VALUES = 20_000;

/** Reads the values of a document, and collects their lines and problems. */
class Reading {
  private readonly document: Document;
  private readonly counter: LineCounter;
  private readonly lines: Record<string, number> = Object.assign(Object.create(null), { '': 1 });
  private readonly problems: ConfigProblem[] = [];
  private values = 0;

  constructor(document: Document, counter: LineCounter) {
    this.document = document;
    this.counter = counter;
  }

  whole(): Omit<YamlSource, 'broken'> {
    const contents = this.document.contents as Node | null;
    const value = contents === null ? {} : (this.read(contents, '', []) ?? {});
    return { value, lines: this.lines, problems: this.problems };
  }

  private read(node: unknown, key: string, above: readonly unknown[]): unknown {
    this.values += 1;
    if (this.values > MAX_VALUES)
      return this.complain(node, key, 'the file is too large, or its aliases expand without limit');
    if (isAlias(node)) return this.readAlias(node, key, above);
    if (isMap(node)) return this.readMap(node.items, key, [...above, node]);
    if (isSeq(node)) return this.readList(node.items, key, [...above, node]);
    return isScalar(node) ? node.value : undefined;
  }

  private readAlias(node: ReturnType<Document['createAlias']>, key: string, above: readonly unknown[]) {
    const target = node.resolve(this.document);
    if (!target) return this.complain(node, key, `there is no anchor &${node.source}`);
    if (above.includes(target)) return this.complain(node, key, `*${node.source} contains itself`);
    return this.read(target, key, above);
  }

  private readMap(items: readonly unknown[], key: string, above: readonly unknown[]) {
    const entries: [string, unknown][] = [];
    const seen = new Map<string, number>();
    for (const pair of items) {
      if (!isPair(pair)) continue;
      if (!isScalar(pair.key)) {
        this.complain(pair.key, key, 'a key must be a single word');
        continue;
      }
      const name = String(pair.key.value);
      const path = childKey(key, name);
      const firstLine = seen.get(name);
      if (firstLine !== undefined) {
        this.complain(pair.key, path, `this key is given twice; the first is in line ${firstLine}`);
        continue;
      }
      seen.set(name, this.lineOf(pair.key));
      this.mark(path, pair.key);
      const value = this.read(pair.value, path, above);
      if (value === null) this.complain(pair.key, path, 'has no value; add one or remove the line');
      else if (value !== undefined) entries.push([name, value]);
    }
    return Object.fromEntries(entries);
  }

  private readList(items: readonly unknown[], key: string, above: readonly unknown[]) {
    return items.map((item, index) => {
      const path = childKey(key, index);
      this.mark(path, item);
      return this.read(item, path, above);
    });
  }

  private mark(path: string, node: unknown): void {
    this.lines[path] = this.lineOf(node);
  }

  private complain(node: unknown, key: string, message: string): undefined {
    this.problems.push({ line: this.lineOf(node), key, message });
    return undefined;
  }

  private lineOf(node: unknown): number {
    const offset = (node as Partial<Node> | null)?.range?.[0];
    return offset === undefined ? 1 : this.counter.linePos(offset).line;
  }
}

/** Returns the path of a key in a section, or of an index in a list. */
export function childKey(path: string, child: string | number): string {
  if (typeof child === 'number') return `${path}[${child}]`;
  return path === '' ? child : `${path}.${child}`;
}

/** Formats the path `['access', 0, 'jid']` as `access[0].jid`. Omits the index if the file has a single value instead of a list. */
export function keyPath(value: unknown, path: readonly PropertyKey[]): string {
  let here = value;
  let text = '';
  for (const segment of path) {
    if (typeof segment === 'number' && !Array.isArray(here)) continue;
    text = childKey(text, typeof segment === 'number' ? segment : String(segment));
    here = (here as Record<PropertyKey, unknown> | undefined)?.[segment];
  }
  return text;
}

/** Returns the line of a key, or of its nearest parent in the file. */
export function findKeyLine(lines: Readonly<Record<string, number>>, key: string): number {
  let path = key;
  while (path !== '') {
    const line = lines[path] ?? lines[`${path}_file`];
    if (line !== undefined) return line;
    path = path.slice(0, Math.max(path.lastIndexOf('.'), path.lastIndexOf('['), 0));
  }
  return lines[''] ?? 1;
}
