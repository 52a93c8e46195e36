import type { Element } from '@xmpp/xml';
import { Refusal } from '../base/errors.ts';
import type { StanzaTaker } from '../messages/stanza-taker.ts';
import type { UploadDeps } from '../uploads/deps.ts';
import type { ComponentSpeech } from './component-speech.ts';
import type { Connection, StanzaHandler, Target } from './connection.ts';
import { errorReply } from './errors.ts';
import { createGate } from './gate.ts';
import { answerIq, hasRoute, refusalOf } from './iq.ts';
import type { RouteDeps } from './request.ts';
import { type StreamDeps, type StreamStatus, startStream } from './stream.ts';

/** One entry of `component` in the config. */
export interface ComponentSettings extends Target {
  readonly name: string;
}

export interface ComponentDeps extends UploadDeps {
  /** Without a slash at the end. */
  readonly publicUrl: string;
  /** Where files are fetched, without a slash at the end. */
  readonly downloadUrl: string;
  /** Gets what nothing else has a use for, as the last before it is answered that nobody reads. */
  readonly onStanza?: StanzaTaker;
  /** Hears first what comes, and speaks on the streams. */
  readonly speech?: ComponentSpeech | undefined;
  /** Ask the XMPP servers for their time, and count how far it is from ours? */
  readonly watchClocks?: boolean;
  /** For tests: how time passes for the streams. */
  readonly timing?: Pick<StreamDeps, 'wait' | 'random' | 'keepalive'>;
}

export interface Components {
  status(): readonly StreamStatus[];
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
export function startComponents(deps: ComponentDeps, components: readonly ComponentSettings[]): Components {
  const names = new Map(components.map(({ jid, name }) => [jid, name]));
  const routeDeps: RouteDeps = { ...deps, names, limited: createGate(MAX_SLOTS_IN_PROGRESS) };
  const doors = components.map((settings) => startComponent(deps, routeDeps, settings));
  return {
    status: () => doors.map((door) => door.stream.status()),
    async stop({ atOnce } = { atOnce: false }) {
      deps.speech?.leave();
      await Promise.all(doors.map((door) => door.stop(atOnce)));
    },
  };
}

function startComponent(deps: ComponentDeps, routeDeps: RouteDeps, settings: ComponentSettings) {
  const { jid } = settings;
  const inProgress = new Set<Promise<void>>();

  const onStanza: StanzaHandler = (stanza, send) => {
    if (deps.speech?.hear(stanza)) return;
    const work = answerStanza(routeDeps, deps.onStanza, stanza, send).catch((error: unknown) =>
      deps.log.info({ jid, err: error }, 'an answer could not be sent'),
    );
    inProgress.add(work);
    void work.finally(() => inProgress.delete(work));
  };

  deps.meter.stream(jid, false);
  const stream = startStream({ clock: deps.clock, log: deps.log, ...deps.timing }, settings, {
    onStanza,
    onChange: ({ up }) => deps.meter.stream(jid, up),
    onConnection: (connection) => deps.speech?.up(jid, connection),
    ...(deps.watchClocks && { onClock: (ms: number) => deps.meter.clockSkew(jid, ms) }),
  });

  return {
    stream,
    async stop(atOnce: boolean) {
      if (!atOnce) await within(LAST_ANSWERS_MS, Promise.all(inProgress));
      await stream.stop();
      deps.meter.stream(jid, null);
    },
  };
}

/** Slot requests and their like first: whatever else there is to do with stanzas costs them nothing. */
async function answerStanza(
  deps: RouteDeps,
  onStanza: StanzaTaker | undefined,
  stanza: Element,
  send: Connection['send'],
): Promise<void> {
  const { type, from } = stanza.attrs;
  const isIq = stanza.name === 'iq';
  if (from === undefined || (isIq && (type === 'error' || type === 'result'))) return;
  if (isIq && (onStanza === undefined || hasRoute(deps, stanza))) return send(await answerIq(deps, stanza));
  try {
    if (onStanza !== undefined && (await onStanza(stanza))) return;
  } catch (error) {
    if (isIq || isWrittenByHand(stanza)) await send(errorReply(stanza, refusalOf(deps, error)));
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
