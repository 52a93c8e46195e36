import xml, { type Element } from '@xmpp/xml';
import { description, version } from '../base/version.ts';
import { VCARD, VERSION } from './namespaces.ts';
import type { IqRequest, RouteDeps } from './request.ts';

/** XEP-0092. */
export function softwareVersion(): Element {
  return xml('query', VERSION, xml('name', {}, 'Porter'), xml('version', {}, version));
}

/** XEP-0054: what service lists of clients show. */
export function vcard(_deps: RouteDeps, { name }: IqRequest): Element {
  return xml('vCard', VCARD, xml('FN', {}, name), xml('DESC', {}, `Porter: ${description}`));
}
