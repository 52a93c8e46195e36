/** The query of an upload resource. The path is the same as that of the PUT, so a reverse proxy already forwards it. */
const PARAMETER = 'upload-resource=';

/** Returns the reference of an upload resource, relative to the target of the PUT (RFC 3986, section 5.3). */
export const resourceReference = (secret: string): string => `?${PARAMETER}${secret}`;

/** Returns the secret in the target of an upload resource, or undefined for all other targets. */
export function secretOfTarget(target: string): string | undefined {
  const start = target.indexOf('?');
  if (start < 0 || !target.startsWith(PARAMETER, start + 1)) return undefined;
  const secret = target.slice(start + 1 + PARAMETER.length);
  return /^[0-9a-z]{26}$/.test(secret) ? secret : undefined;
}
