/**
 * Returns a function that normalizes request targets. The result is in origin form (RFC 9112 §3.2.1) and does not begin with the
 * path of `public_url` or `download_url`, also if the web server in front has not removed that path. Query and encoding stay
 * unchanged.
 */
export function createTargetNormalizer(
  baseUrls: readonly (string | null | undefined)[],
  isKnown: (path: string) => boolean,
): (target: string) => string {
  const bases = basePaths(baseUrls);
  return (target) => {
    const path = toOriginForm(target);
    for (const base of bases) {
      const rest = removeBase(path, base);
      if (rest !== undefined && (isKnown(pathOfTarget(rest)) || !isKnown(pathOfTarget(path)))) return rest;
    }
    return path;
  };
}

/** Returns the path of a request target, without its query. */
export function pathOfTarget(target: string): string {
  const queryStart = target.indexOf('?');
  return queryStart < 0 ? target : target.slice(0, queryStart);
}

/** Returns the paths of the base URLs, longest first, without those at the root. */
function basePaths(baseUrls: readonly (string | null | undefined)[]): string[] {
  const paths = baseUrls.flatMap((url) => (url ? [new URL(url).pathname.replace(/\/+$/, '')] : []));
  return [...new Set(paths)].filter((path) => path !== '').sort((a, b) => b.length - a.length);
}

/** Converts an absolute form, `http://host/path`, to the origin form. Proxies may send either (RFC 9112 §3.2.2). */
function toOriginForm(target: string): string {
  if (target.startsWith('/')) return target;
  const path = /^https?:\/\/[^/?#]*(.*)$/i.exec(target)?.[1];
  if (path === undefined) return target;
  return path.startsWith('/') ? path : `/${path}`;
}

function removeBase(path: string, base: string): string | undefined {
  if (!path.startsWith(base)) return undefined;
  const rest = path.slice(base.length);
  if (rest.startsWith('/')) return rest;
  return rest === '' || rest.startsWith('?') ? `/${rest}` : undefined;
}
