type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Characters that a call inspects or copies. */
type Cost = (text: string, result: unknown, args: readonly unknown[]) => number;

const one: Cost = () => 1;
const all: Cost = (text) => text.length;
const copied: Cost = (_text, result) => (typeof result === 'string' ? result.length : 1);
const searched: Cost = (text, result, [, from]) =>
  (result === -1 ? text.length : Number(result) + 1) - Number(from ?? 0);

const STRING_COSTS: Readonly<Record<string, Cost>> = {
  at: one,
  charAt: one,
  charCodeAt: one,
  codePointAt: one,
  slice: copied,
  substr: copied,
  substring: copied,
  indexOf: searched,
  includes: all,
  isWellFormed: all,
  lastIndexOf: all,
  match: all,
  replace: all,
  replaceAll: all,
  search: all,
  split: all,
  startsWith: (_text, _result, [prefix]) => String(prefix).length,
  trim: all,
};

/**
 * Runs a function and returns how many characters it inspected or copied with methods of strings and regular expressions,
 * plus the number of insertions into sets and maps. Independent of the speed of the machine.
 */
export function countWork(run: () => void): number {
  let work = 0;
  const restores: (() => void)[] = [];
  const wrap = (
    prototype: object,
    name: string,
    cost: (self: unknown, result: unknown, args: unknown[]) => number,
  ) => {
    const original = Reflect.get(prototype, name) as Method;
    const counting: Method = function (...args) {
      const result = Reflect.apply(original, this, args);
      work += cost(this, result, args);
      return result;
    };
    Object.defineProperty(prototype, name, { value: counting, configurable: true, writable: true });
    restores.push(() =>
      Object.defineProperty(prototype, name, { value: original, configurable: true, writable: true }),
    );
  };
  for (const [name, cost] of Object.entries(STRING_COSTS)) {
    wrap(String.prototype, name, (self, result, args) => cost(self as string, result, args));
  }
  for (const name of ['exec', 'test'])
    wrap(RegExp.prototype, name, (_self, _result, [text]) => String(text).length);
  wrap(Set.prototype, 'add', () => 1);
  wrap(Map.prototype, 'set', () => 1);
  try {
    run();
  } finally {
    for (const restore of restores) restore();
  }
  return work;
}
