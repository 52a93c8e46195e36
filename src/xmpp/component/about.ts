import xml, { type Element } from '@xmpp/xml';
import { description, version } from '../../base/version.ts';
import { VCARD, VERSION } from '../../stanza/namespaces.ts';
import type { IqRequest, IqServices } from './iq-request.ts';

/** XEP-0092. */
export function softwareVersionQuery(): Element {
  return xml('query', VERSION, xml('name', {}, 'Porter'), xml('version', {}, version));
}

/** XEP-0054: what service lists of clients show. */
export function vcardReply(_deps: IqServices, { serviceName }: IqRequest): Element {
  return xml('vCard', VCARD, xml('FN', {}, serviceName), xml('DESC', {}, `Porter: ${description}`));
}
