/** Returns whether an `Accept` header names JSON (RFC 9457 problem details included), with any weight. */
export function acceptsJson(accept: string | undefined): boolean {
  return /\bapplication\/(?:problem\+)?json\b/i.test(accept ?? '');
}

/**
 * Returns the entry of `types` with the highest weight in `Accept` (RFC 9110 §12.5.1). Of equal weights the first one wins. Returns
 * undefined if the header accepts none of them.
 */
export function preferredType<T>(types: Readonly<Record<string, T>>, accept: string): T | undefined {
  let best: T | undefined;
  let bestWeight = 0;
  for (const range of accept.split(',')) {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const weight = Number(parameters.find((part) => part.startsWith('q='))?.slice(2) ?? 1);
    const type = Object.hasOwn(types, name) ? types[name] : undefined;
    if (type !== undefined && weight > bestWeight) [best, bestWeight] = [type, weight];
  }
  return best;
}

/** Returns the type that is mentioned first in a text, ignoring weights, as mod_rest does (docs/protocols.md, "mod_rest"). */
export function firstMentioned<T extends string>(types: readonly T[], text: string): T | undefined {
  const positions = types.map((type) => text.indexOf(type));
  const first = Math.min(...positions.filter((position) => position >= 0));
  return types[positions.indexOf(first)];
}
