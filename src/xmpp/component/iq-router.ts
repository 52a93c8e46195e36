import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import { parseJid } from '../../base/jid.ts';
import { errorReply } from '../../stanza/error-reply.ts';
import {
  DISCO_INFO,
  DISCO_ITEMS,
  LEGACY_UPLOAD,
  PING,
  UPLOAD,
  VCARD,
  VERSION,
} from '../../stanza/namespaces.ts';
import { softwareVersionQuery, vcardReply } from './about.ts';
import { discoInfoReply, discoItemsReply } from './disco.ts';
import type { IqRequest, IqServices } from './iq-request.ts';
import { answerSlotRequest } from './slot-request.ts';

/** An element goes into the result; without one the result is empty. Refuses by throwing a `Refusal`. */
type Route = (deps: IqServices, request: IqRequest) => Promise<Element> | Element | undefined;

/** By type, namespace and name of what is asked. */
const routes: Readonly<Record<string, Route>> = {
  [`get ${UPLOAD} request`]: answerSlotRequest,
  [`get ${LEGACY_UPLOAD} request`]: answerSlotRequest,
  [`get ${DISCO_INFO} query`]: discoInfoReply,
  [`get ${DISCO_ITEMS} query`]: discoItemsReply,
  [`get ${PING} ping`]: () => undefined,
  [`get ${VERSION} query`]: softwareVersionQuery,
  [`get ${VCARD} vCard`]: vcardReply,
};

/** Answers any iq of type get or set; never rejects. */
export async function answerIq(deps: IqServices, iq: Element): Promise<Element> {
  const [payload, ...more] = iq.getChildElements();
  try {
    if (payload === undefined || more.length > 0) {
      throw new Refusal('bad_request', { text: 'An iq has exactly one child element.' });
    }
    const { from = '', to = '', id } = iq.attrs;
    const serviceName = nameOf(deps, to);
    const result = await findRoute(iq, payload)(deps, { payload, from, serviceName });
    return xml('iq', { type: 'result', from: to, to: from, id }, ...(result ? [result] : []));
  } catch (error) {
    return errorReply(iq, recordRefusal(deps, error));
  }
}

/**
 * Any of our components may be asked on any stream: ejabberd takes all hosts of one listener for the same
 * program, and deals what it has for them to all of its streams in turn.
 */
function nameOf(deps: IqServices, to: string): string {
  const name = nameAt(deps, to);
  if (name === undefined) throw new Refusal('not_found', { text: 'Nobody is here.' });
  return name;
}

function nameAt({ serviceNames }: IqServices, to: string): string | undefined {
  const jid = parseJid(to);
  return jid?.local === '' ? serviceNames.get(jid.domain) : undefined;
}

function findRoute(iq: Element, element: Element): Route {
  const route = routeOf(iq, element);
  if (route === undefined) throw new Refusal('not_understood');
  return route;
}

function routeOf(iq: Element, element: Element): Route | undefined {
  const key = `${iq.attrs.type} ${element.getNS()} ${element.getName()}`;
  return Object.hasOwn(routes, key) ? routes[key] : undefined;
}

/** Is this for a component itself, and something that it answers? Where there is no telling what is asked, it is. */
export function hasRoute(deps: IqServices, iq: Element): boolean {
  const [element, ...more] = iq.getChildElements();
  if (element === undefined || more.length > 0) return true;
  return nameAt(deps, iq.attrs.to ?? '') !== undefined && routeOf(iq, element) !== undefined;
}

/** A refusal is counted; anything else that was thrown is a bug, whose story stays in the log. */
export function recordRefusal(deps: IqServices, error: unknown): Refusal {
  if (error instanceof Refusal) {
    deps.metrics.requestRefused('component', error.code);
    return error;
  }
  const incident = randomId().slice(0, 8);
  deps.log.error({ err: error, incident }, 'a stanza could not be answered');
  deps.metrics.requestRefused('component', 'internal');
  return new Refusal('internal', { text: `Something went wrong here; the log has the story (${incident}).` });
}
