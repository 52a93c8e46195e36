import type { Element } from '@xmpp/xml';
import { createConcurrencyLimit } from '../../base/concurrency-limit.ts';
import { Refusal } from '../../base/errors.ts';
import { errorReply } from '../../stanza/error-reply.ts';
import type { StanzaHandler } from '../../stanza/stanza-handler.ts';
import type { UploadServices } from '../../uploads/services.ts';
import type { ComponentSenders } from './component-senders.ts';
import type { ComponentConnection, ComponentConnectionOptions, StanzaListener } from './connection.ts';
import type { IqServices } from './iq-request.ts';
import { answerIq, hasRoute, recordRefusal } from './iq-router.ts';
import {
  type ComponentStreamOptions,
  type ComponentStreamStatus,
  startComponentStream,
} from './reconnecting-stream.ts';

/** One entry of `component` in the config. */
export interface ComponentSettings extends ComponentConnectionOptions {
  readonly name: string;
}

export interface ComponentServices extends UploadServices {
  /** Without a slash at the end. */
  readonly publicUrl: string;
  /** Where files are fetched, without a slash at the end. */
  readonly downloadUrl: string;
  /** Gets what nothing else has a use for, as the last before it is answered that nobody reads. */
  readonly onStanza?: StanzaHandler;
  /** Hears first what comes, and speaks on the streams. */
  readonly componentSenders?: ComponentSenders | undefined;
  /** Ask the XMPP servers for their time, and count how far it is from ours? */
  readonly measureClockSkew?: boolean;
  /** For tests: how time passes for the streams. */
  readonly timing?: Pick<ComponentStreamOptions, 'wait' | 'random' | 'keepalive'>;
}

export interface Components {
  status(): readonly ComponentStreamStatus[];
  /**
   * Answers what is in progress, says goodbye, and leaves nothing that keeps the process alive. `atOnce`: another
   * process is about to take its place, so no answer is waited for.
   */
  stop(how?: { readonly atOnce: boolean }): Promise<void>;
}

/** Slot requests that may wait for the ledger at one time; a server that sends more has gone wild. */
const MAX_SLOTS_IN_PROGRESS = 1000;
/** Answers that are not there by then are not waited for. */
const LAST_ANSWERS_MS = 5_000;

/** Door 1: a stream for each component JID. Returns at once; streams come up as their servers do. */
export function startComponents(
  deps: ComponentServices,
  components: readonly ComponentSettings[],
): Components {
  const serviceNames = new Map(components.map(({ jid, name }) => [jid, name]));
  const routeDeps: IqServices = {
    ...deps,
    serviceNames,
    limitSlotRequests: createConcurrencyLimit(MAX_SLOTS_IN_PROGRESS),
  };
  const endpoints = components.map((settings) => startComponent(deps, routeDeps, settings));
  return {
    status: () => endpoints.map((endpoint) => endpoint.stream.status()),
    async stop({ atOnce } = { atOnce: false }) {
      deps.componentSenders?.leaveRooms();
      await Promise.all(endpoints.map((endpoint) => endpoint.stop(atOnce)));
    },
  };
}

function startComponent(deps: ComponentServices, routeDeps: IqServices, settings: ComponentSettings) {
  const { jid } = settings;
  const inProgress = new Set<Promise<void>>();

  const onStanza: StanzaListener = (stanza, send) => {
    if (deps.componentSenders?.handle(stanza)) return;
    const work = answerStanza(routeDeps, deps.onStanza, stanza, send).catch((error: unknown) =>
      deps.log.info({ jid, err: error }, 'an answer could not be sent'),
    );
    inProgress.add(work);
    void work.finally(() => inProgress.delete(work));
  };

  deps.metrics.setStreamUp(jid, false);
  const stream = startComponentStream({ clock: deps.clock, log: deps.log, ...deps.timing }, settings, {
    onStanza,
    onStatusChange: ({ up }) => deps.metrics.setStreamUp(jid, up),
    onConnection: (connection) => deps.componentSenders?.attachStream(jid, connection),
    ...(deps.measureClockSkew && { onClockSkew: (ms: number) => deps.metrics.setClockSkew(jid, ms) }),
  });

  return {
    stream,
    async stop(atOnce: boolean) {
      if (!atOnce) await within(LAST_ANSWERS_MS, Promise.all(inProgress));
      await stream.stop();
      deps.metrics.setStreamUp(jid, null);
    },
  };
}

/** Slot requests and their like first: whatever else there is to do with stanzas costs them nothing. */
async function answerStanza(
  deps: IqServices,
  onStanza: StanzaHandler | undefined,
  stanza: Element,
  send: ComponentConnection['send'],
): Promise<void> {
  const { type, from } = stanza.attrs;
  const isIq = stanza.name === 'iq';
  if (from === undefined || (isIq && (type === 'error' || type === 'result'))) return;
  if (isIq && (onStanza === undefined || hasRoute(deps, stanza))) return send(await answerIq(deps, stanza));
  try {
    if (onStanza !== undefined && (await onStanza(stanza))) return;
  } catch (error) {
    if (isIq || isWrittenByHand(stanza)) await send(errorReply(stanza, recordRefusal(deps, error)));
    return;
  }
  if (isIq) await send(await answerIq(deps, stanza));
  else if (isWrittenByHand(stanza)) await send(errorReply(stanza, nobodyReads()));
}

function isWrittenByHand(message: Element): boolean {
  const { type = 'normal' } = message.attrs;
  if (message.name !== 'message') return false;
  return (type === 'chat' || type === 'normal') && message.getChild('body') !== undefined;
}

function nobodyReads(): Refusal {
  const text = 'Nobody reads messages here: this is a service for file uploads.';
  return new Refusal('not_understood', { text });
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, ms);
  await Promise.race([work, late.promise]);
  clearTimeout(timer);
}
