import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../base/errors.ts';
import { randomId } from '../base/ids.ts';
import { parseJid } from '../base/jid.ts';
import { softwareVersion, vcard } from './about.ts';
import { discoInfo, discoItems } from './disco.ts';
import { errorReply } from './errors.ts';
import { DISCO_INFO, DISCO_ITEMS, LEGACY_UPLOAD, PING, UPLOAD, VCARD, VERSION } from './namespaces.ts';
import type { IqRequest, RouteDeps } from './request.ts';
import { answerSlotRequest } from './slot-request.ts';

/** An element goes into the result; without one the result is empty. Refuses by throwing a `Refusal`. */
type Route = (deps: RouteDeps, request: IqRequest) => Promise<Element> | Element | undefined;

/** By type, namespace and name of what is asked. */
const routes: Readonly<Record<string, Route>> = {
  [`get ${UPLOAD} request`]: answerSlotRequest,
  [`get ${LEGACY_UPLOAD} request`]: answerSlotRequest,
  [`get ${DISCO_INFO} query`]: discoInfo,
  [`get ${DISCO_ITEMS} query`]: discoItems,
  [`get ${PING} ping`]: () => undefined,
  [`get ${VERSION} query`]: softwareVersion,
  [`get ${VCARD} vCard`]: vcard,
};

/** Answers any iq of type get or set; never rejects. */
export async function answerIq(deps: RouteDeps, iq: Element): Promise<Element> {
  const [element, ...more] = iq.getChildElements();
  try {
    if (element === undefined || more.length > 0) {
      throw new Refusal('bad_request', { text: 'An iq has exactly one child element.' });
    }
    const { from = '', to = '', id } = iq.attrs;
    const name = nameOf(deps, to);
    const result = await findRoute(iq, element)(deps, { element, from, name });
    return xml('iq', { type: 'result', from: to, to: from, id }, ...(result ? [result] : []));
  } catch (error) {
    return errorReply(iq, refusalOf(deps, error));
  }
}

/**
 * Any of our components may be asked on any stream: ejabberd takes all hosts of one listener for the same
 * program, and deals what it has for them to all of its streams in turn.
 */
function nameOf(deps: RouteDeps, to: string): string {
  const name = nameAt(deps, to);
  if (name === undefined) throw new Refusal('not_found', { text: 'Nobody is here.' });
  return name;
}

function nameAt({ names }: RouteDeps, to: string): string | undefined {
  const jid = parseJid(to);
  return jid?.local === '' ? names.get(jid.domain) : undefined;
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
export function hasRoute(deps: RouteDeps, iq: Element): boolean {
  const [element, ...more] = iq.getChildElements();
  if (element === undefined || more.length > 0) return true;
  return nameAt(deps, iq.attrs.to ?? '') !== undefined && routeOf(iq, element) !== undefined;
}

/** A refusal is counted; anything else that was thrown is a bug, whose story stays in the log. */
export function refusalOf(deps: RouteDeps, error: unknown): Refusal {
  if (error instanceof Refusal) {
    deps.meter.refused('component', error.code);
    return error;
  }
  const incident = randomId().slice(0, 8);
  deps.log.error({ err: error, incident }, 'a stanza could not be answered');
  deps.meter.refused('component', 'internal');
  return new Refusal('internal', { text: `Something went wrong here; the log has the story (${incident}).` });
}
