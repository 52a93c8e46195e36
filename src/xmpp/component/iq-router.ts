import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import { parseBareJid, parseJid } from '../../base/jid.ts';
import { description, version } from '../../base/package-files.ts';
import { errorReply } from '../../stanza/error-reply.ts';
import {
  COMMANDS,
  DISCO_INFO,
  DISCO_ITEMS,
  LEGACY_UPLOAD,
  PING,
  UPLOAD,
  VCARD,
  VERSION,
} from '../../stanza/namespaces.ts';
import { escapeAttribute } from '../../stanza/xml-text.ts';
import { discoInfoReply, discoItemsReply, noReplyInfo } from './disco.ts';
import type { IqRequest, IqServices } from './iq-request.ts';
import { answerSlotRequest } from './slot-request.ts';

/** Returns the payload of the result as an element or as XML, or undefined for an empty result. Throws a `Refusal` for an error. */
type IqHandler = (
  services: IqServices,
  request: IqRequest,
) => Promise<Element | string> | Element | string | undefined;

/** By type of the iq, namespace and name of its payload. */
const handlers: Readonly<Record<string, IqHandler>> = {
  [`get ${UPLOAD} request`]: answerSlotRequest,
  [`get ${LEGACY_UPLOAD} request`]: answerSlotRequest,
  [`get ${DISCO_INFO} query`]: discoInfoReply,
  [`get ${DISCO_ITEMS} query`]: discoItemsReply,
  [`set ${COMMANDS} command`]: ({ adHocRequests, linkBasesFor }, { from, payload }) =>
    adHocRequests.run(from, payload, (owner) => linkBasesFor(owner).getBase),
  [`get ${PING} ping`]: () => undefined,
  [`get ${VERSION} query`]: softwareVersionReply,
  [`get ${VCARD} vCard`]: vcardReply,
};

/** Returns the answer to an iq of type get or set as XML: a result or an error. Never rejects. */
export async function answerIq(services: IqServices, iq: Element): Promise<string> {
  const [payload, ...more] = iq.getChildElements();
  try {
    if (payload === undefined || more.length > 0) {
      throw new Refusal('bad_request', { text: 'An iq has exactly one child element.' });
    }
    const { from = '', to = '' } = iq.attrs;
    const serviceName = findServiceName(services, to);
    if (serviceName === undefined) {
      if (isInfoRequest(iq, payload) && services.isNoReply(parseBareJid(to) ?? ''))
        return formatResult(iq, noReplyInfo());
      throw new Refusal('not_found', { text: 'There is no such address at this service.' });
    }
    const handler = findHandler(iq, payload);
    if (handler === undefined) throw new Refusal('not_understood');
    return formatResult(iq, await handler(services, { payload, from, to, serviceName }));
  } catch (error) {
    return errorReply(iq, recordRefusal(services, error)).toString();
  }
}

/** Writes XML directly: most answers are slots, and a tree of elements for each would cost more than all other work. */
function formatResult(
  { attrs: { from = '', to = '', id } }: Element,
  payload: Element | string = '',
): string {
  const addresses = `from="${escapeAttribute(to)}" to="${escapeAttribute(from)}"`;
  const idAttribute = id === undefined ? '' : ` id="${escapeAttribute(id)}"`;
  return `<iq type="result" ${addresses}${idAttribute}>${payload}</iq>`;
}

/**
 * Returns the name of the component at `to`, or undefined for every other address. Any component may be addressed on
 * any stream: ejabberd treats all hosts of one listener as one program and distributes their stanzas over all of its
 * streams (docs/protocols.md, "ejabberd").
 */
function findServiceName({ serviceNames }: Pick<IqServices, 'serviceNames'>, to: string): string | undefined {
  const jid = parseJid(to);
  return jid?.local === '' ? serviceNames.get(jid.domain) : undefined;
}

function isInfoRequest(iq: Element, payload: Element): boolean {
  return iq.attrs.type === 'get' && payload.is('query', DISCO_INFO);
}

function findHandler(iq: Element, payload: Element): IqHandler | undefined {
  const key = `${iq.attrs.type} ${payload.getNS()} ${payload.getName()}`;
  return Object.hasOwn(handlers, key) ? handlers[key] : undefined;
}

/** Returns true if `answerIq` handles this iq to a component. A malformed iq counts as handled. */
export function hasRoute(services: Pick<IqServices, 'serviceNames'>, iq: Element): boolean {
  const [payload, ...more] = iq.getChildElements();
  if (payload === undefined || more.length > 0) return true;
  return findServiceName(services, iq.attrs.to ?? '') !== undefined && findHandler(iq, payload) !== undefined;
}

/** Counts a refusal and returns it. Any other error is logged under an id, and the returned refusal has that id only. */
export function recordRefusal(
  { metrics, log }: Pick<IqServices, 'metrics' | 'log'>,
  error: unknown,
): Refusal {
  if (error instanceof Refusal) {
    metrics.requestRefused('component', error.code);
    return error;
  }
  const errorId = randomId().slice(0, 8);
  log.error({ err: error, errorId }, 'internal error while answering a stanza');
  metrics.requestRefused('component', 'internal');
  return new Refusal('internal', {
    text: `Internal error ${errorId}. The log of the server has details under this id.`,
  });
}

/** XEP-0092. */
function softwareVersionReply(): Element {
  return xml('query', VERSION, xml('name', {}, 'Porter'), xml('version', {}, version));
}

/** XEP-0054. Clients show it in their service lists. */
function vcardReply(_services: IqServices, { serviceName }: IqRequest): Element {
  return xml('vCard', VCARD, xml('FN', {}, serviceName), xml('DESC', {}, `Porter: ${description}`));
}
