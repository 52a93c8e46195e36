/**
 * Brings the target of a request into the form that the doors know: a path from the root, without the path of
 * `public_url` or `download_url`. A web server in front may have cut that off already or may pass it on; both
 * are understood. Query and encoding stay as they came.
 */
export function createTargetNormalizer(
  baseUrls: readonly (string | null | undefined)[],
  isKnown: (path: string) => boolean,
): (target: string) => string {
  const bases = basePaths(baseUrls);
  return (target) => {
    const path = originForm(target);
    for (const base of bases) {
      const rest = below(path, base);
      if (rest !== undefined && (isKnown(pathOfTarget(rest)) || !isKnown(pathOfTarget(path)))) return rest;
    }
    return path;
  };
}

/** The path of a target, without its query. */
export function pathOfTarget(target: string): string {
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}

/** Paths of the bases, longest first; those at the root need no care. */
function basePaths(baseUrls: readonly (string | null | undefined)[]): string[] {
  const paths = baseUrls.flatMap((url) => (url ? [new URL(url).pathname.replace(/\/+$/, '')] : []));
  return [...new Set(paths)].filter((path) => path !== '').sort((a, b) => b.length - a.length);
}

/** Proxies may send `http://host/path` (RFC 9112 §3.2.2). */
function originForm(target: string): string {
  if (target.startsWith('/')) return target;
  const path = /^https?:\/\/[^/?#]*(.*)$/i.exec(target)?.[1];
  if (path === undefined) return target;
  return path.startsWith('/') ? path : `/${path}`;
}

function below(path: string, base: string): string | undefined {
  if (!path.startsWith(base)) return undefined;
  const rest = path.slice(base.length);
  if (rest.startsWith('/')) return rest;
  return rest === '' || rest.startsWith('?') ? `/${rest}` : undefined;
}
