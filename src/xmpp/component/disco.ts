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
 * Announced if no limit applies, or if the requester may not upload: clients expect the field. It is also the largest limit that
 * the form of the old namespace announces: its clients read a signed 32-bit number, and Psi+ offers no upload above it.
 */
const MAX_INT32 = 2 ** 31 - 1;

const FEATURES = [UPLOAD, LEGACY_UPLOAD, DISCO_INFO, DISCO_ITEMS, PING, VERSION, VCARD];

/** Announces the upload service, its purposes and the requester's file size limit (XEP-0363 §3, XEP-0030 §3.1). */
export function discoInfoReply(services: IqServices, { payload, from, serviceName }: IqRequest): Element {
  rejectNode(payload);
  const purposes = Object.keys(services.rules().retention.purposes).map((purpose) => `${PURPOSE}#${purpose}`);
  const size = announcedMaxSizeFor(services, from) ?? MAX_INT32;
  return xml(
    'query',
    DISCO_INFO,
    xml('identity', { category: 'store', type: 'file', name: serviceName }),
    ...[...FEATURES, ...purposes].map((feature) => xml('feature', { var: feature })),
    // Some clients read the first form only; clients of the old namespace look for the second.
    uploadForm(UPLOAD, size),
    uploadForm(LEGACY_UPLOAD, Math.min(size, MAX_INT32)),
  );
}

export function discoItemsReply(_services: IqServices, { payload }: IqRequest): Element {
  rejectNode(payload);
  return xml('query', DISCO_ITEMS);
}

function rejectNode(query: Element): void {
  if (query.attrs.node !== undefined) {
    throw new Refusal('not_found', { text: 'This service has no such disco node.' });
  }
}

/** A service discovery extension form (XEP-0128): `FORM_TYPE` comes first and is hidden. */
function uploadForm(xmlns: string, maxFileSize: number): Element {
  return xml(
    'x',
    { xmlns: DATA_FORM, type: 'result' },
    xml('field', { var: 'FORM_TYPE', type: 'hidden' }, xml('value', {}, xmlns)),
    xml('field', { var: 'max-file-size' }, xml('value', {}, String(maxFileSize))),
  );
}
