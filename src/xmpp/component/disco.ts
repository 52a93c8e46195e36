import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import {
  DATA_FORM,
  DISCO_INFO,
  DISCO_ITEMS,
  LEGACY_UPLOAD,
  PING,
  PURPOSE,
  UPLOAD,
  VCARD,
  VERSION,
} from '../../stanza/namespaces.ts';
import { announcedMaxSizeFor } from '../../uploads/grant-slot.ts';
import type { IqRequest, IqServices } from './iq-request.ts';

/**
 * The field is always there, because clients want it; this is what old ones can still read as a number. Said where there
 * is no limit, or nothing may be uploaded. A larger limit that an admin has set is said as it is.
 */
const LARGEST_SAFE = 2 ** 31 - 1;

const FEATURES = [UPLOAD, LEGACY_UPLOAD, DISCO_INFO, DISCO_ITEMS, PING, VERSION, VCARD];

/** How clients find out that there is an upload service, and how large a file may be (FIELD 0.10, 2.1). */
export function discoInfoReply(deps: IqServices, { payload, from, serviceName }: IqRequest): Element {
  refuseNode(payload);
  const purposes = Object.keys(deps.rules().retention.purposes).map((purpose) => `${PURPOSE}#${purpose}`);
  const size = announcedMaxSizeFor(deps, from) ?? LARGEST_SAFE;
  return xml(
    'query',
    DISCO_INFO,
    xml('identity', { category: 'store', type: 'file', name: serviceName }),
    ...[...FEATURES, ...purposes].map((feature) => xml('feature', { var: feature })),
    // Some clients look at the first form only; those of the old namespace look for a form of theirs.
    uploadForm(UPLOAD, size),
    uploadForm(LEGACY_UPLOAD, size),
  );
}

export function discoItemsReply(_deps: IqServices, { payload }: IqRequest): Element {
  refuseNode(payload);
  return xml('query', DISCO_ITEMS);
}

function refuseNode(element: Element): void {
  if (element.attrs.node !== undefined)
    throw new Refusal('not_found', { text: 'There is no such node here.' });
}

/** XEP-0128; `FORM_TYPE` has to be first and hidden. */
function uploadForm(xmlns: string, maxFileSize: number): Element {
  return xml(
    'x',
    { xmlns: DATA_FORM, type: 'result' },
    xml('field', { var: 'FORM_TYPE', type: 'hidden' }, xml('value', {}, xmlns)),
    xml('field', { var: 'max-file-size' }, xml('value', {}, String(maxFileSize))),
  );
}
