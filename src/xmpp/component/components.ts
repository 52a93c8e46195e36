import type { Element } from '@xmpp/xml';
import { withTimeout } from '../../base/async.ts';
import { createPlaces } from '../../base/concurrency-limit.ts';
import { Refusal } from '../../base/errors.ts';
import { parseBareJid } from '../../base/jid.ts';
import { errorReply, isPersonalMessage } from '../../stanza/error-reply.ts';
import type { StanzaHandler } from '../../stanza/stanza-handler.ts';
import type { AdHocServices } from '../commands/ad-hoc-command.ts';
import { createAdHocRequests } from '../commands/ad-hoc-requests.ts';
import type { ComponentSenders } from './component-senders.ts';
import type { ComponentConnection, ComponentConnectionOptions, StanzaListener } from './connection.ts';
import type { ComponentDiscovery, SearchedDomain } from './discovery.ts';
import { createDiscoveryWatch, type DiscoveryWatch } from './discovery-watch.ts';
import type { IqServices } from './iq-request.ts';
import { answerIq, hasRoute, recordRefusal } from './iq-router.ts';
import {
  ComponentStream,
  type ComponentStreamOptions,
  type ComponentStreamStatus,
} from './reconnecting-stream.ts';

/** One entry of `component` in the config. */
export interface ComponentSettings extends ComponentConnectionOptions {
  /** Display name of the upload service. */
  readonly name: string;
  readonly linkBasesFor: IqServices['linkBasesFor'];
}

export type ComponentServices = Omit<
  IqServices,
  'serviceNames' | 'slotPlaces' | 'adHocRequests' | 'linkBasesFor'
> &
  AdHocServices & {
    /** Fallback for stanzas that neither `componentSenders` nor an iq route handles. */
    readonly onStanza?: StanzaHandler;
    /** Gets every stanza first, and sends on the component streams. */
    readonly componentSenders?: ComponentSenders | undefined;
    /** Called whenever a stream is connected, after `componentSenders` can use it. */
    readonly onStreamUp?: (() => void) | undefined;
    /** Queries the time of the XMPP servers and exports the difference as a metric. */
    readonly measureClockSkew?: boolean;
    /** Checks at each connection whether the clients of these domains find the component, and logs the changes that the admin must make. */
    readonly searchedDomains?: ((componentJid: string) => readonly SearchedDomain[]) | undefined;
    /** For tests: replaces timers of the streams. */
    readonly timing?: Pick<ComponentStreamOptions, 'wait' | 'random' | 'keepalive'>;
  };

export interface Components {
  status(): readonly ComponentStreamStatus[];
  /** Queries the XMPP servers, over all streams that are up, for the services that clients discover. */
  discover(): Promise<readonly ComponentDiscovery[]>;
  /**
   * Waits for the answers in progress, then closes the streams. `atOnce` skips the wait, because another process takes
   * over the streams. Nothing keeps the process alive afterwards.
   */
  stop(options?: { readonly atOnce: boolean }): Promise<void>;
}

/** Slot requests that may wait for the ledger at the same time. Further ones are refused with `busy`. */
const MAX_SLOT_REQUESTS = 1000;
/** `stop` waits this long for the answers in progress. */
const STOP_TIMEOUT_MS = 5_000;

/**
 * Opens a stream for each configured component and answers its stanzas. Returns at once: Porter serves files whether or
 * not the XMPP server is up.
 */
export function startComponents(
  services: ComponentServices,
  components: readonly ComponentSettings[],
): Components {
  const shared = {
    ...services,
    serviceNames: new Map(components.map(({ jid, name }) => [jid, name])),
    adHocRequests: createAdHocRequests(services),
    slotPlaces: createPlaces(MAX_SLOT_REQUESTS),
  };
  const watch = createDiscoveryWatch({
    log: services.log,
    components: components.map(({ jid }) => jid),
    searchedDomains: services.searchedDomains ?? (() => []),
  });
  const started = components.map((settings) => startComponent(services, shared, watch, settings));
  return {
    status: () => started.map(({ stream }) => stream.status),
    discover: () => watch.discover(),
    async stop({ atOnce } = { atOnce: false }) {
      watch.stop();
      services.componentSenders?.leaveRooms();
      await Promise.all(started.map((component) => component.stop(atOnce)));
    },
  };
}

function startComponent(
  services: ComponentServices,
  shared: Omit<IqServices, 'linkBasesFor'>,
  watch: DiscoveryWatch,
  settings: ComponentSettings,
) {
  const { clock, log, metrics, componentSenders, onStreamUp, measureClockSkew, timing } = services;
  const { jid, linkBasesFor } = settings;
  const iqServices: IqServices = { ...shared, linkBasesFor };
  const answersInProgress = new Set<Promise<void>>();

  const onStanza: StanzaListener = (stanza, write) => {
    if (watch.handle(stanza) || componentSenders?.handle(stanza)) return;
    const forget = () => void answersInProgress.delete(answer);
    const answer = answerStanza(iqServices, services.onStanza, stanza, write).then(
      forget,
      (error: unknown) => {
        log.info({ jid, reason: String(error) }, 'could not send an answer: the component stream has ended');
        forget();
      },
    );
    answersInProgress.add(answer);
  };

  metrics.setStreamUp(jid, false);
  const stream = new ComponentStream({ clock, log, ...timing }, settings, {
    onStanza,
    onStatusChange: ({ up }) => metrics.setStreamUp(jid, up),
    onConnection: (connection) => {
      componentSenders?.attachStream(jid, connection);
      onStreamUp?.();
      watch.attach(jid, connection);
    },
    ...(measureClockSkew && { onClockSkew: (ms: number) => metrics.setClockSkew(jid, ms) }),
  });

  return {
    stream,
    async stop(atOnce: boolean) {
      if (!atOnce) {
        const answers = Promise.all(answersInProgress);
        await withTimeout(answers, STOP_TIMEOUT_MS, () => new Error('answers are late')).catch(() => {
          // The remaining answers are abandoned.
        });
      }
      await stream.stop();
      metrics.setStreamUp(jid, null);
    },
  };
}

/** Routes come before `onStanza`, so that slot requests do not wait for other uses of stanzas. */
async function answerStanza(
  services: IqServices,
  onStanza: StanzaHandler | undefined,
  stanza: Element,
  write: ComponentConnection['write'],
): Promise<void> {
  const { type, from } = stanza.attrs;
  const isIq = stanza.name === 'iq';
  if (from === undefined || (isIq && (type === 'error' || type === 'result'))) return;
  if (isIq && (onStanza === undefined || hasRoute(services, stanza))) {
    return write(await answerIq(services, stanza));
  }
  const writeError = (refusal: Refusal) => write(errorReply(stanza, refusal).toString());
  try {
    if (onStanza !== undefined && (await onStanza(stanza))) return;
  } catch (error) {
    if (isIq || isPersonalMessage(stanza)) writeError(recordRefusal(services, error));
    return;
  }
  if (isIq) write(await answerIq(services, stanza));
  else if (isPersonalMessage(stanza)) writeError(messageNotRead(services, stanza));
}

function messageNotRead({ isNoReply }: IqServices, { attrs: { to = '' } }: Element): Refusal {
  const jid = parseBareJid(to) ?? '';
  const purpose =
    jid.includes('@') && isNoReply(jid) ? 'it only sends messages' : 'it is a service for file uploads';
  const text = `Messages to this address are not read: ${purpose}.`;
  return new Refusal('not_understood', { text });
}
