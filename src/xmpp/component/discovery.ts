import xml, { type Element } from '@xmpp/xml';
import { sleep } from '../../base/async.ts';
import { createPendingIqs, type PendingIqs } from '../../messages/delivery/pending-iqs.ts';
import { DISCO_INFO, DISCO_ITEMS, LEGACY_UPLOAD, UPLOAD, VERSION } from '../../stanza/namespaces.ts';
import type { ComponentConnection } from './connection.ts';

/** A domain whose clients should find the component. */
export interface SearchedDomain {
  readonly domain: string;
  /** Whether accounts of this domain may upload. */
  readonly hasUsers: boolean;
}

/** The upload services in the list of one domain (XEP-0030), as its clients find them. Plain data. */
export interface DomainDiscovery extends SearchedDomain {
  /** Why the domain sent no list: an error condition or `no answer`. Null if it sent one. */
  readonly failure: string | null;
  /** Whether the domain lists the component, or another component of this Porter. */
  readonly isListed: boolean;
  /** The name of the server software; null if it is unknown. */
  readonly software: string | null;
  /** Other services that offer uploads, in the order of the list. */
  readonly others: readonly OtherService[];
}

export interface OtherService {
  readonly jid: string;
  /** Whether it comes before the component in the list. The domain itself comes before all. */
  readonly isFirst: boolean;
}

/** The discovery results of one component. Plain data. */
export interface ComponentDiscovery {
  readonly jid: string;
  readonly domains: readonly DomainDiscovery[];
}

/** Queries XMPP servers, as a component, for the services that the clients of their users discover. */
export interface ServiceDiscovery {
  /** Takes the answers from any stream: ejabberd may send one on another stream of the same listener. Returns false for other stanzas. */
  handle(stanza: Element): boolean;
  /** Asks each domain for its services, as the clients of its users do. */
  discover(
    jid: string,
    connection: Pick<ComponentConnection, 'send'>,
    searched: readonly SearchedDomain[],
  ): Promise<ComponentDiscovery>;
  /** Ends all requests in progress. They count as not answered. */
  stop(): void;
}

/** Long enough for the answer of a remote server. */
const ANSWER_TIMEOUT_MS = 5_000;
/** The list is requested again after this time, because ejabberd registers a component just after its login. */
const SECOND_LOOK_MS = 1_000;
/** Servers list less than twenty services. */
const MAX_ITEMS = 30;
const MAX_DOMAINS = 10;

interface DiscoveryStream {
  readonly jid: string;
  readonly connection: Pick<ComponentConnection, 'send'>;
  readonly pending: Pick<PendingIqs, 'request'>;
  readonly signal: AbortSignal;
  /** Whether a JID is a component of this Porter. */
  readonly isOwn: (jid: string) => boolean;
}

/** `components`: the JIDs of all components of this Porter. */
export function createServiceDiscovery(components: readonly string[]): ServiceDiscovery {
  const pending = createPendingIqs();
  const stopping = new AbortController();
  const { signal } = stopping;
  const isOwn = (jid: string) => components.includes(jid);
  return {
    handle(stanza) {
      const { type } = stanza.attrs;
      if (stanza.name !== 'iq' || (type !== 'result' && type !== 'error')) return false;
      return pending.handleResponse(stanza);
    },
    async discover(jid, connection, searched) {
      const stream = { jid, connection, pending, signal, isOwn };
      const asked = searched.slice(0, MAX_DOMAINS);
      return { jid, domains: await Promise.all(asked.map((domain) => discoverIn(stream, domain))) };
    },
    stop() {
      stopping.abort();
      pending.rejectAll();
    },
  };
}

async function discoverIn(stream: DiscoveryStream, searched: SearchedDomain): Promise<DomainDiscovery> {
  const { domain } = searched;
  const { isOwn } = stream;
  const [list, info, version] = await Promise.all([
    listItems(stream, domain),
    ask(stream, domain, DISCO_INFO),
    ask(stream, domain, VERSION),
  ]);
  const software = softwareName(info, version);
  if (typeof list === 'string') return { ...searched, failure: list, isListed: false, software, others: [] };
  const position = list.findIndex(isOwn);
  const offering = await Promise.all(
    list.map(async (jid, index) =>
      !isOwn(jid) && jid !== domain && offersUploads(await ask(stream, jid, DISCO_INFO))
        ? [{ jid, isFirst: position < 0 || index < position }]
        : [],
    ),
  );
  const itself = offersUploads(info) ? [{ jid: domain, isFirst: true }] : [];
  return {
    ...searched,
    failure: null,
    isListed: position >= 0,
    software,
    others: [...itself, ...offering.flat()],
  };
}

/** Returns the listed JIDs, or why there is no list. Requests the list again if the component is missing in the first one. */
async function listItems(stream: DiscoveryStream, domain: string): Promise<string[] | string> {
  const first = await requestItems(stream, domain);
  if (typeof first === 'string' || first.some(stream.isOwn)) return first;
  await sleep(SECOND_LOOK_MS, stream.signal);
  return await requestItems(stream, domain);
}

async function requestItems(stream: DiscoveryStream, domain: string): Promise<string[] | string> {
  const answer = await ask(stream, domain, DISCO_ITEMS);
  if (answer === undefined) return 'no answer';
  if (answer.attrs.type === 'error') return conditionOf(answer);
  const items = answer.getChild('query', DISCO_ITEMS)?.getChildren('item') ?? [];
  const services = items.filter(({ attrs: { jid, node } }) => jid !== undefined && node === undefined);
  return services.slice(0, MAX_ITEMS).map(({ attrs: { jid } }) => String(jid));
}

/** Returns the answer, which may be an error; undefined if none arrives. */
async function ask(
  { jid, connection, pending, signal }: DiscoveryStream,
  to: string,
  namespace: string,
): Promise<Element | undefined> {
  if (signal.aborted) return undefined;
  return await pending
    .request({ id: undefined }, ANSWER_TIMEOUT_MS, (id) =>
      connection.send(xml('iq', { type: 'get', from: jid, to, id }, xml('query', namespace))),
    )
    .catch(() => undefined);
}

function conditionOf(answer: Element): string {
  const [condition] = answer.getChild('error')?.getChildElements() ?? [];
  return condition?.getName() ?? 'error';
}

function offersUploads(info: Element | undefined): boolean {
  const features = info?.getChild('query', DISCO_INFO)?.getChildren('feature') ?? [];
  return features.some(({ attrs: { var: name } }) => name === UPLOAD || name === LEGACY_UPLOAD);
}

/** Returns the name from XEP-0092, or else the name of the server identity: Prosody and ejabberd use their own name there. */
function softwareName(info: Element | undefined, version: Element | undefined): string | null {
  const name = version?.getChild('query', VERSION)?.getChild('name')?.getText();
  if (name) return name;
  const identities = info?.getChild('query', DISCO_INFO)?.getChildren('identity') ?? [];
  return identities.find(({ attrs: { category } }) => category === 'server')?.attrs.name ?? null;
}
