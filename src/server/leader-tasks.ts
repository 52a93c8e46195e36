import { parseJid } from '../base/jid.ts';
import type { JsonValue } from '../base/json.ts';
import type { LeaderTasks } from '../cluster/leadership.ts';
import type { Relay } from '../cluster/relay.ts';
import { createHostedLinks, type LinkBases } from '../config/hosted-domains.ts';
import type { Config } from '../config/load.ts';
import { userDomainsOf } from '../config/user-domains.ts';
import { type Callbacks, createCallbacks } from '../messages/callbacks/callbacks.ts';
import { httpClient } from '../messages/callbacks/http-client.ts';
import type { CallbackRules } from '../messages/callbacks/request.ts';
import type { MessageServices } from '../messages/message-services.ts';
import {
  removeLeftSpoolFiles,
  type SweepSchedule,
  startDeletionSchedule,
  startSweepSchedule,
  startUsageHistory,
} from '../uploads/housekeeping.ts';
import type { AdminRules } from '../xmpp/commands/ad-hoc-command.ts';
import { type ComponentSettings, type Components, startComponents } from '../xmpp/component/components.ts';
import type { ComponentStreamStatus } from '../xmpp/component/reconnecting-stream.ts';
import type { Messaging } from './messaging.ts';
import type { Runtime } from './runtime.ts';
import type { Sweeper } from './sweeper.ts';

const STREAMS_TOPIC = 'streams';
const STREAMS_TIMEOUT_MS = 1_500;
const DISCOVERY_TOPIC = 'discovery';
/** Discovery sends several requests, one after the other. Each may take five seconds. */
const DISCOVERY_TIMEOUT_MS = 20_000;

export interface LeaderTaskServices {
  readonly relay: Relay;
  readonly sweeper: Pick<Sweeper, 'run'>;
  readonly messaging: Pick<Messaging, 'componentSenders' | 'senders' | 'setLeading'> | undefined;
  readonly messageServices: Pick<MessageServices, 'outbox'> | undefined;
}

/** Creates the work of the leading process: component streams, sweeps and deletions, callbacks and outbox. */
export function createLeaderTasks(
  runtime: Runtime,
  { relay, sweeper, messaging, messageServices }: LeaderTaskServices,
): LeaderTasks {
  const { services, config, settings } = runtime;
  let sweeps: SweepSchedule | undefined;
  let deletions: { stop(): Promise<void> } | undefined;
  let history: { stop(): Promise<void> } | undefined;
  let components: Components | undefined;
  const streams = () => components?.status() ?? [];
  const callbacks = messaging && createServerCallbacks(runtime, messaging, streams);
  relay.handle(STREAMS_TOPIC, () => streams().map((status) => ({ ...status })));
  relay.handle(DISCOVERY_TOPIC, async () => ((await components?.discover()) ?? []) as unknown as JsonValue);
  return {
    async startLeading() {
      const sweepIntervalMs = () => settings().config.retention.sweep_every ?? 0;
      sweeps = startSweepSchedule(services, { sweepIntervalMs }, sweeper.run);
      deletions = startDeletionSchedule(services);
      history = startUsageHistory(services);
      // Not awaited: a slow disk must not delay the streams.
      void removeLeftSpoolFiles(services, performance.timeOrigin);
      const links = createHostedLinks(config);
      components = startComponents(
        {
          ...services,
          componentSenders: messaging?.componentSenders,
          // Sends the queued messages as soon as a stream is connected.
          onStreamUp: messageServices && (() => messageServices.outbox.resume()),
          ...(callbacks && { onStanza: callbacks.onStanza }),
          adminRules: () => toAdminRules(settings().config),
          isNoReply: (jid) => isNoReply(settings().config, jid),
          measureClockSkew: true,
          searchedDomains: (jid) => userDomainsOf(jid, settings().config),
        },
        config.component.map((one) => ({
          ...one,
          linkBasesFor: (owner: string) => requireBases(links.forComponent(one.jid, owner)),
        })),
      );
      messaging?.setLeading(true);
      callbacks?.start();
      messageServices?.outbox.start();
    },
    async stopLeading(lost) {
      // Callbacks and outbox send their last stanzas over the streams, so they stop first.
      const graceMs = lost ? 0 : undefined;
      await Promise.all([callbacks?.stop(graceMs), messageServices?.outbox.stop(graceMs)]);
      messaging?.setLeading(false);
      await components?.stop({ atOnce: lost });
      components = undefined;
      await sweeps?.stop();
      sweeps = undefined;
      await deletions?.stop();
      deletions = undefined;
      await history?.stop();
      history = undefined;
    },
  };
}

/** Returns the bases without null, because the config check requires a `public_url` for every component. */
function requireBases({ putBase, getBase }: LinkBases): ReturnType<ComponentSettings['linkBasesFor']> {
  if (putBase === null || getBase === null) throw new Error('A component has no public_url.');
  return { putBase, getBase };
}

/** Creates the callbacks. They accept no stanzas while the config has no `messages.callback_url`. */
function createServerCallbacks(
  { services, config, settings }: Runtime,
  { senders }: Pick<Messaging, 'senders'>,
  streams: () => readonly ComponentStreamStatus[],
): Callbacks {
  return createCallbacks({
    ...services,
    senders,
    isConnected: (to) => streams().some(({ jid, up }) => up && jid === parseJid(to)?.domain),
    rules: () => toCallbackRules(settings().config),
    httpClient,
    componentJid: config.component[0]?.jid ?? '',
  });
}

function toAdminRules({ web, retention }: Config): AdminRules {
  return {
    admins: web?.admins ?? [],
    moderators: web?.moderators ?? [],
    contacts: web?.contact ?? [],
    keepRecords: retention.keep_records,
  };
}

/** Returns true if this JID at a component may send messages, but messages to it are refused. */
function isNoReply(config: Config, jid: string): boolean {
  const { component, messages } = config;
  if (toCallbackRules(config)?.stanzas.includes('message')) return false;
  const senders = [...(messages?.tokens ?? []), ...(messages?.hooks ?? [])].map(({ from }) => from);
  return [...component.map((one) => one.jid), ...senders].includes(jid);
}

function toCallbackRules({ messages }: Config): CallbackRules | null {
  if (messages === null || messages.callback_url === null) return null;
  const { format, secret, stanzas, timeout, keep_trying, max_waiting } = messages.callback;
  return {
    url: messages.callback_url,
    format,
    secret,
    stanzas,
    timeout,
    keepTrying: keep_trying,
    maxWaiting: max_waiting,
    maxSize: messages.max_size,
  };
}

/** Fetches the component streams of the leading process, from any process. Throws `RelayError`. */
export async function fetchStreamStatuses(relay: Relay): Promise<readonly ComponentStreamStatus[]> {
  const statuses: JsonValue = await relay.request(STREAMS_TOPIC, null, STREAMS_TIMEOUT_MS);
  // The handler in `createLeaderTasks` has sent them, from the same version of the program.
  return statuses as unknown as readonly ComponentStreamStatus[];
}

/** Requests the service discovery results of the users' domains from the leading process. Throws `RelayError`. */
export function requestDiscovery(relay: Relay): Promise<JsonValue> {
  return relay.request(DISCOVERY_TOPIC, null, DISCOVERY_TIMEOUT_MS);
}
