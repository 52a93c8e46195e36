import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/** What Prosody's data files hold: nothing in them is ever run. */
export type LuaValue = string | number | boolean | null | LuaTable;
/** Keys as text; the array part has `1`, `2`, … */
export type LuaTable = ReadonlyMap<string, LuaValue>;

/** Longer than any entry that a server writes: what comes in its place is no such file. */
const LONGEST_ITEM = 1024 * 1024;

/**
 * The tables in a list as Prosody's datamanager writes it: `item({…});`, one after the other. Text is taken as
 * UTF-8. An item that cannot be read is left out and told through `broken`. Memory does not grow with the file.
 */
export async function* readLuaItems(file: string, broken: (line: number) => void): AsyncGenerator<LuaTable> {
  // Byte by byte: escapes stand for bytes, which make characters only when they are together.
  const lines = createInterface({
    input: createReadStream(file, 'latin1'),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  let item = '';
  let number = 0;
  for await (const line of lines) {
    number += 1;
    // A new item begins: what was before it was cut off by a crash.
    if (line.startsWith('item(') && item.trim() !== '') {
      broken(number);
      item = '';
    }
    item += `${line}\n`;
    if (!line.trimEnd().endsWith(');') && item.length < LONGEST_ITEM) continue;
    const table = parseLuaItem(item);
    if (table) yield table;
    else broken(number);
    item = '';
  }
  if (item.trim() !== '') broken(number);
}

/** One `item({…});`; undefined where it is anything else. */
export function parseLuaItem(text: string): LuaTable | undefined {
  try {
    const reader = new Reader(text);
    reader.expect('item');
    reader.expect('(');
    const value = reader.value(0);
    reader.expect(')');
    reader.expect(';');
    reader.end();
    return value instanceof Map ? value : undefined;
  } catch (failure) {
    if (failure instanceof NotLua) return undefined;
    throw failure;
  }
}

class NotLua extends Error {}

const DEEPEST = 16;
const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const NAME = /[A-Za-z_]\w*/y;
const TEXT = /"((?:[^"\\\n]|\\[\s\S])*)"/y;
const ESCAPE = /\\(\d{1,3}|[\s\S])/g;
const LETTERS: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** Reads constants and tables of them: all that `util.serialization` writes. */
class Reader {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  value(depth: number): LuaValue {
    this.skip();
    const next = this.text[this.at];
    if (next === '{') return this.table(depth);
    if (next === '"') return this.string();
    const name = this.take(NAME);
    if (name === undefined) return this.number();
    if (name === 'true' || name === 'false') return name === 'true';
    if (name === 'nil') return null;
    throw new NotLua();
  }

  expect(text: string): void {
    this.skip();
    if (!this.text.startsWith(text, this.at)) throw new NotLua();
    this.at += text.length;
  }

  end(): void {
    this.skip();
    if (this.at < this.text.length) throw new NotLua();
  }

  private table(depth: number): LuaTable {
    if (depth >= DEEPEST) throw new NotLua();
    const entries = new Map<string, LuaValue>();
    let next = 1;
    this.expect('{');
    while (!this.sees('}')) {
      const key = this.key() ?? String(next++);
      entries.set(key, this.value(depth + 1));
      if (!this.sees('}') && !this.passes(';') && !this.passes(',')) throw new NotLua();
    }
    this.expect('}');
    return entries;
  }

  /** `["key"] =`, `[1] =` or `key =`; undefined in the array part. */
  private key(): string | undefined {
    if (this.passes('[')) {
      this.skip();
      const key = this.text[this.at] === '"' ? this.string() : String(this.number());
      this.expect(']');
      this.expect('=');
      return key;
    }
    const start = this.at;
    const name = this.take(NAME);
    if (name !== undefined && this.passes('=')) return name;
    this.at = start;
    return undefined;
  }

  private string(): string {
    const quoted = this.take(TEXT);
    if (quoted === undefined) throw new NotLua();
    const bytes = quoted.slice(1, -1).replace(ESCAPE, (_, code: string) => readEscape(code));
    return Buffer.from(bytes, 'latin1').toString();
  }

  private number(): number {
    const text = this.take(NUMBER);
    if (text === undefined) throw new NotLua();
    return Number(text);
  }

  private sees(text: string): boolean {
    this.skip();
    return this.text.startsWith(text, this.at);
  }

  private passes(text: string): boolean {
    const there = this.sees(text);
    if (there) this.at += text.length;
    return there;
  }

  private skip(): void {
    this.take(SPACE);
  }

  private take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    this.at += found?.length ?? 0;
    return found;
  }
}

function readEscape(code: string): string {
  if (!/^\d/.test(code)) return LETTERS[code] ?? code;
  const byte = Number(code);
  if (byte > 255) throw new NotLua();
  return String.fromCharCode(byte);
}
