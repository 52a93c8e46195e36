import { Refusal } from '../../base/errors.ts';
import type { ClientInfo } from './client-info.ts';

/** The base of links for who asked, where the config names none: the host that was asked. */
export function requestBaseUrl({ protocol, host }: ClientInfo): string {
  if (host !== undefined) return `${protocol}://${host}`;
  throw new Refusal('bad_request', {
    text: 'The host that was asked cannot stand in a link: set public_url.',
  });
}
