import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/** The values in Prosody's data files. They are parsed, never executed. */
export type LuaValue = string | number | boolean | null | LuaTable;
/** Keys as text; the array part has `1`, `2`, … */
export type LuaTable = ReadonlyMap<string, LuaValue>;

/** No server writes longer entries, so a longer one means that the file has another format. */
const MAX_ITEM_LENGTH = 1024 * 1024;

/**
 * Yields the tables of a list as Prosody's `util.datamanager` writes it: a sequence of `item({…});`. Text is UTF-8. Skips
 * items that cannot be parsed and reports the line at which they end. Memory use does not depend on the file size.
 */
export async function* readLuaItems(
  file: string,
  onInvalid: (line: number) => void,
): AsyncGenerator<LuaTable> {
  // Read as bytes: escapes stand for bytes, which form UTF-8 characters only together.
  const lines = createInterface({
    input: createReadStream(file, 'latin1'),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  let item = '';
  let number = 0;
  for await (const line of lines) {
    number += 1;
    // A new item begins, so a crash has truncated the previous one.
    if (line.startsWith('item(') && item.trim() !== '') {
      onInvalid(number);
      item = '';
    }
    item += `${line}\n`;
    if (!line.trimEnd().endsWith(');') && item.length < MAX_ITEM_LENGTH) continue;
    const table = parseLuaItem(item);
    if (table) yield table;
    else onInvalid(number);
    item = '';
  }
  if (item.trim() !== '') onInvalid(number);
}

/** Parses one `item({…});`. Returns undefined for anything else. */
export function parseLuaItem(text: string): LuaTable | undefined {
  try {
    const parser = new LuaParser(text);
    parser.expect('item');
    parser.expect('(');
    const value = parser.value(0);
    parser.expect(')');
    parser.expect(';');
    parser.end();
    return value instanceof Map ? value : undefined;
  } catch (error) {
    if (error instanceof LuaSyntaxError) return undefined;
    throw error;
  }
}

class LuaSyntaxError extends Error {}

const MAX_DEPTH = 16;
const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const NAME = /[A-Za-z_]\w*/y;
const TEXT = /"((?:[^"\\\n]|\\[\s\S])*)"/y;
const ESCAPE = /\\(\d{1,3}|[\s\S])/g;
const ESCAPED_LETTERS: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** Parses constants and tables, which is all that Prosody's `util.serialization` writes. */
class LuaParser {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  value(depth: number): LuaValue {
    this.skipSpace();
    const next = this.text[this.at];
    if (next === '{') return this.table(depth);
    if (next === '"') return this.string();
    const name = this.match(NAME);
    if (name === undefined) return this.number();
    if (name === 'true' || name === 'false') return name === 'true';
    if (name === 'nil') return null;
    throw new LuaSyntaxError();
  }

  expect(text: string): void {
    this.skipSpace();
    if (!this.text.startsWith(text, this.at)) throw new LuaSyntaxError();
    this.at += text.length;
  }

  end(): void {
    this.skipSpace();
    if (this.at < this.text.length) throw new LuaSyntaxError();
  }

  private table(depth: number): LuaTable {
    if (depth >= MAX_DEPTH) throw new LuaSyntaxError();
    const entries = new Map<string, LuaValue>();
    let next = 1;
    this.expect('{');
    while (!this.startsWith('}')) {
      const key = this.key() ?? String(next++);
      entries.set(key, this.value(depth + 1));
      if (!this.startsWith('}') && !this.skipToken(';') && !this.skipToken(',')) throw new LuaSyntaxError();
    }
    this.expect('}');
    return entries;
  }

  /** `["key"] =`, `[1] =` or `key =`; undefined in the array part. */
  private key(): string | undefined {
    if (this.skipToken('[')) {
      this.skipSpace();
      const key = this.text[this.at] === '"' ? this.string() : String(this.number());
      this.expect(']');
      this.expect('=');
      return key;
    }
    const start = this.at;
    const name = this.match(NAME);
    if (name !== undefined && this.skipToken('=')) return name;
    this.at = start;
    return undefined;
  }

  private string(): string {
    const quoted = this.match(TEXT);
    if (quoted === undefined) throw new LuaSyntaxError();
    const bytes = quoted.slice(1, -1).replace(ESCAPE, (_, code: string) => decodeEscape(code));
    return Buffer.from(bytes, 'latin1').toString();
  }

  private number(): number {
    const text = this.match(NUMBER);
    if (text === undefined) throw new LuaSyntaxError();
    return Number(text);
  }

  private startsWith(text: string): boolean {
    this.skipSpace();
    return this.text.startsWith(text, this.at);
  }

  private skipToken(text: string): boolean {
    const found = this.startsWith(text);
    if (found) this.at += text.length;
    return found;
  }

  private skipSpace(): void {
    this.match(SPACE);
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    this.at += found?.length ?? 0;
    return found;
  }
}

function decodeEscape(code: string): string {
  if (!/^\d/.test(code)) return ESCAPED_LETTERS[code] ?? code;
  const byte = Number(code);
  if (byte > 255) throw new LuaSyntaxError();
  return String.fromCharCode(byte);
}
