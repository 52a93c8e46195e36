import type { JsonValue } from '../base/json.ts';
import type { LeaderTasks } from '../cluster/leadership.ts';
import type { Relay } from '../cluster/relay.ts';
import type { MessageServices } from '../messages/message-services.ts';
import { type SweepSchedule, startSweepSchedule } from '../uploads/housekeeping.ts';
import type { ComponentSenders } from '../xmpp/component/component-senders.ts';
import { type Components, startComponents } from '../xmpp/component/components.ts';
import type { ComponentStreamStatus } from '../xmpp/component/reconnecting-stream.ts';
import { createServerCallbacks } from './callbacks.ts';
import type { Messaging } from './messaging.ts';
import type { Runtime } from './runtime.ts';
import type { Sweeper } from './sweeper.ts';

const STREAMS = 'streams';
const STREAMS_MS = 1_500;

/** What one process does for all that share its ledger: the component streams, and the rhythm of the sweeps. */
export function createLeaderTasks(
  house: Runtime,
  relay: Relay,
  sweeping: Sweeper,
  voices: Pick<Messaging, 'componentSenders' | 'senders' | 'setLeading'> | undefined,
  posting: Pick<MessageServices, 'outbox'> | undefined,
): LeaderTasks {
  const { services, config, settings } = house;
  let sweeps: SweepSchedule | undefined;
  let components: Components | undefined;
  const streams = () => components?.status() ?? [];
  const callbacks = voices && createServerCallbacks(house, voices.senders, streams);
  relay.handle(STREAMS, () => streams().map((status) => ({ ...status })));
  return {
    async startLeading() {
      const sweepIntervalMs = () => settings().config.retention.sweep_every ?? 0;
      sweeps = startSweepSchedule(services, { sweepIntervalMs }, sweeping.run);
      const publicUrl = config.public_url ?? '';
      const urls = { publicUrl, downloadUrl: config.download_url ?? publicUrl };
      components = startComponents(
        {
          ...services,
          ...urls,
          componentSenders: voices && posting && wakingSpeech(voices.componentSenders, posting),
          ...(callbacks && { onStanza: callbacks.onStanza }),
          measureClockSkew: true,
        },
        config.component,
      );
      voices?.setLeading(true);
      callbacks?.start();
      posting?.outbox.start();
    },
    async stopLeading(lost) {
      // Its last answers need the streams.
      const grace = lost ? 0 : undefined;
      await Promise.all([callbacks?.stop(grace), posting?.outbox.stop(grace)]);
      voices?.setLeading(false);
      await components?.stop({ atOnce: lost });
      components = undefined;
      await sweeps?.stop();
      sweeps = undefined;
    },
  };
}

/** What waited goes out as soon as a stream is up. */
function wakingSpeech(
  speech: ComponentSenders,
  { outbox }: Pick<MessageServices, 'outbox'>,
): ComponentSenders {
  return {
    ...speech,
    attachStream(component, connection) {
      speech.attachStream(component, connection);
      outbox.resume();
    },
  };
}

/** The streams of the process that leads, asked from any. @throws RelayFault */
export async function fetchStreamStatuses(relay: Relay): Promise<readonly ComponentStreamStatus[]> {
  const answer: JsonValue = await relay.request(STREAMS, null, STREAMS_MS);
  // What `createLeaderTasks` of the same program has sent.
  return answer as unknown as readonly ComponentStreamStatus[];
}
