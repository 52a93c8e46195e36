import type { Element } from '@xmpp/xml';
import { parseDateTime } from '../../base/clock.ts';
import { Refusal } from '../../base/errors.ts';
import { parseBareJid } from '../../base/jid.ts';
import { parseFileSize } from '../../policy/file-size.ts';
import { LEGACY_UPLOAD, PURPOSE } from '../../stanza/namespaces.ts';
import { escapeAttribute, escapeText } from '../../stanza/xml-text.ts';
import { type GrantedSlot, grantSlot, type SlotRequest } from '../../uploads/grant-slot.ts';
import { fileUrl, putUrl } from '../../uploads/links.ts';
import type { IqRequest, IqServices } from './iq-request.ts';

/** Grants a slot (XEP-0363 §4): returns an element with the URLs for one PUT and for the GETs after it, as XML. */
export async function answerSlotRequest(services: IqServices, { payload, from }: IqRequest): Promise<string> {
  const slot = await grant(services, payload, from);
  const { putBase, getBase } = services.linkBasesFor(slot.owner);
  const put = putUrl(putBase, slot.token, slot.name);
  return formatSlot(payload.getNS() ?? '', put, fileUrl(services, getBase, slot));
}

async function grant(services: IqServices, payload: Element, from: string): Promise<GrantedSlot> {
  const { refusals, slotPlaces } = services;
  let file: Omit<SlotRequest, 'endpoint' | 'jid'> | undefined;
  try {
    file = parseSlotRequest(payload);
    const request: SlotRequest = { endpoint: 'component', jid: from, ...file };
    slotPlaces.take();
    try {
      return await grantSlot(services, request);
    } finally {
      slotPlaces.giveBack();
    }
  } catch (error) {
    if (error instanceof Refusal) {
      const owner = parseBareJid(from);
      refusals.add({ kind: 'slot', endpoint: 'component', refusal: error, owner, claimedJid: from, ...file });
    }
    throw error;
  }
}

/** The old namespace (XEP-0363 before version 0.3) carries the URLs as text. */
function formatSlot(xmlns: string, put: string, get: string): string {
  if (xmlns === LEGACY_UPLOAD) {
    return `<slot xmlns="${xmlns}"><put>${escapeText(put)}</put><get>${escapeText(get)}</get></slot>`;
  }
  return `<slot xmlns="${xmlns}"><put url="${escapeAttribute(put)}"/><get url="${escapeAttribute(get)}"/></slot>`;
}

/**
 * Accepts each field as an attribute or as a child element, in either namespace, because clients mix the two forms
 * (docs/protocols.md, "Slot requests").
 */
function parseSlotRequest(request: Element): Omit<SlotRequest, 'endpoint' | 'jid'> {
  const name = readField(request, 'filename');
  const size = readField(request, 'size');
  if (name === undefined) throw badRequest('The slot request has no filename.');
  if (size === undefined) throw badRequest('The slot request has no size.');
  const bytes = parseFileSize(size.trim());
  if (typeof bytes !== 'number') throw badRequest(bytes.problem);
  return {
    name,
    size: bytes,
    type: readField(request, 'content-type') ?? null,
    ...readPurpose(request),
  };
}

function readField(request: Element, name: string): string | undefined {
  return request.attrs[name] ?? request.getChild(name)?.getText();
}

/** XEP-0363 §7. */
function readPurpose(request: Element): Pick<SlotRequest, 'purpose' | 'expiresAt'> {
  const [purpose, ...more] = request.getChildElements().filter((child) => child.getNS() === PURPOSE);
  if (purpose === undefined) return {};
  if (more.length > 0) throw badRequest('A slot request has at most one purpose.');
  const name = purpose.getName();
  const expireBefore = purpose.attrs['expire-before'];
  if (name !== 'ephemeral' || expireBefore === undefined) return { purpose: name };
  const expiresAt = parseDateTime(expireBefore);
  if (expiresAt === undefined) throw badRequest('expire-before must be a time such as 2030-01-31T12:00:00Z.');
  return { purpose: name, expiresAt };
}

function badRequest(text: string): Refusal {
  return new Refusal('bad_request', { text });
}
