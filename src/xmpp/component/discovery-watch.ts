import type { Element } from '@xmpp/xml';
import type { Logger } from '../../base/log.ts';
import type { ComponentConnection } from './connection.ts';
import { type ComponentDiscovery, createServiceDiscovery, type SearchedDomain } from './discovery.ts';
import { describeDiscovery } from './discovery-report.ts';

export interface DiscoveryWatchOptions {
  readonly log: Logger;
  /** The JIDs of all components. */
  readonly components: readonly string[];
  /** Called for each check: a reload changes `access`. */
  readonly searchedDomains: (componentJid: string) => readonly SearchedDomain[];
}

/** Checks regularly whether clients find the components, and logs the changes that the admin must make. */
export interface DiscoveryWatch {
  /** Takes the answers to its requests, from any stream. Returns false for every other stanza. */
  handle(stanza: Element): boolean;
  /** Checks now and every hour until the connection ends. Does not keep the process alive. */
  attach(jid: string, connection: Pick<ComponentConnection, 'send' | 'ended'>): void;
  /** Checks all components that are connected. */
  discover(): Promise<readonly ComponentDiscovery[]>;
  /** Ends the checks in progress. */
  stop(): void;
}

const CHECK_INTERVAL_MS = 60 * 60_000;

export function createDiscoveryWatch({
  log,
  components,
  searchedDomains,
}: DiscoveryWatchOptions): DiscoveryWatch {
  const discovery = createServiceDiscovery(components);
  let isStopped = false;
  /** By JID; absent while the stream is down. */
  const connections = new Map<string, Pick<ComponentConnection, 'send'>>();
  /** The problems of the last check by JID: each is logged once, also if the stream reconnects. */
  const known = new Map<string, ReadonlySet<string>>();

  const discoverAs = (jid: string, connection: Pick<ComponentConnection, 'send'>) =>
    discovery.discover(jid, connection, searchedDomains(jid));

  async function check(jid: string, connection: Pick<ComponentConnection, 'send'>): Promise<void> {
    if (searchedDomains(jid).length === 0) return;
    const found = await discoverAs(jid, connection);
    // Without an answer of this connection nothing is known.
    if (connections.get(jid) !== connection || isStopped) return;
    const findings = describeDiscovery(found).filter(({ state }) => state === 'warn' || state === 'fail');
    const problems = new Set(findings.map(({ text }) => text));
    for (const text of problems) if (!known.get(jid)?.has(text)) log.warn({ jid }, text);
    known.set(jid, problems);
  }

  return {
    handle: (stanza) => discovery.handle(stanza),
    attach(jid, connection) {
      connections.set(jid, connection);
      void check(jid, connection);
      const timer = setInterval(() => void check(jid, connection), CHECK_INTERVAL_MS).unref();
      void connection.ended.then(() => {
        clearInterval(timer);
        if (connections.get(jid) === connection) connections.delete(jid);
      });
    },
    discover: () => Promise.all([...connections].map(([jid, connection]) => discoverAs(jid, connection))),
    stop() {
      isStopped = true;
      discovery.stop();
    },
  };
}
