import xml, { type Element } from '@xmpp/xml';
import { parseDateTime } from '../../base/clock.ts';
import { Refusal } from '../../base/errors.ts';
import { LEGACY_UPLOAD, PURPOSE } from '../../stanza/namespaces.ts';
import { grantSlot, type SlotRequest } from '../../uploads/grant-slot.ts';
import { fileUrl, putUrl } from '../../uploads/links.ts';
import type { IqRequest, IqServices } from './iq-request.ts';

/** XEP-0363 §4: the right to upload one file. */
export async function answerSlotRequest(deps: IqServices, { payload, from }: IqRequest): Promise<Element> {
  const request: SlotRequest = { endpoint: 'component', jid: from, ...parseSlotRequest(payload) };
  const slot = await deps.limitSlotRequests(() => grantSlot(deps, request));
  const put = putUrl(deps.publicUrl, slot.token, slot.name);
  return slotElement(payload.getNS() ?? '', put, fileUrl(deps, deps.downloadUrl, slot));
}

/** Before its version 0.3 the XEP had the URLs as text. */
function slotElement(xmlns: string, put: string, get: string): Element {
  if (xmlns === LEGACY_UPLOAD) return xml('slot', xmlns, xml('put', {}, put), xml('get', {}, get));
  return xml('slot', xmlns, xml('put', { url: put }), xml('get', { url: get }));
}

/** Takes attributes and child elements in either namespace, because clients mix them (FIELD 2.4.8). */
export function parseSlotRequest(request: Element): Omit<SlotRequest, 'endpoint' | 'jid'> {
  const name = field(request, 'filename');
  const size = field(request, 'size')?.trim();
  if (name === undefined) throw bad('The request names no file: filename is missing.');
  if (size === undefined) throw bad('The request has no size.');
  if (!/^\d+$/.test(size)) throw bad('The size must be a whole number of bytes, in digits.');
  return {
    name,
    size: Number(size),
    type: field(request, 'content-type') ?? null,
    ...readPurpose(request),
  };
}

function field(request: Element, name: string): string | undefined {
  return request.attrs[name] ?? request.getChild(name)?.getText();
}

function readPurpose(request: Element): Pick<SlotRequest, 'purpose' | 'expiresAt'> {
  const [purpose, ...more] = request.getChildElements().filter((child) => child.getNS() === PURPOSE);
  if (purpose === undefined) return {};
  if (more.length > 0) throw bad('A request has one purpose at most.');
  const name = purpose.getName();
  const before = purpose.attrs['expire-before'];
  if (name !== 'ephemeral' || before === undefined) return { purpose: name };
  const expiresAt = parseDateTime(before);
  if (expiresAt === undefined) throw bad('expire-before must be a time such as 2030-01-31T12:00:00Z.');
  return { purpose: name, expiresAt };
}

function bad(text: string): Refusal {
  return new Refusal('bad_request', { text });
}
