import type { Json, Relay } from '../base/relay.ts';
import type { Duties } from '../fleet/contract.ts';
import type { SendDeps } from '../messages/send.ts';
import { type Sweeps, startSweeps } from '../uploads/housekeeping.ts';
import type { ComponentSpeech } from '../xmpp/component-speech.ts';
import { type Components, startComponents } from '../xmpp/components.ts';
import type { StreamStatus } from '../xmpp/stream.ts';
import { callbacksOf } from './callbacks.ts';
import type { House } from './house.ts';
import type { Voices } from './messages.ts';
import type { Sweeping } from './sweeping.ts';

const STREAMS = 'streams';
const STREAMS_MS = 1_500;

/** What one process does for all that share its ledger: the component streams, and the rhythm of the sweeps. */
export function leaderDuties(
  house: House,
  relay: Relay,
  sweeping: Sweeping,
  voices: Pick<Voices, 'speech' | 'speakers' | 'lead'> | undefined,
  posting: Pick<SendDeps, 'outbox'> | undefined,
): Duties {
  const { deps, config, current } = house;
  let sweeps: Sweeps | undefined;
  let components: Components | undefined;
  const streams = () => components?.status() ?? [];
  const callbacks = voices && callbacksOf(house, voices.speakers, streams);
  relay.serve(STREAMS, () => streams().map((status) => ({ ...status })));
  return {
    async begin() {
      const sweepEvery = () => current().config.retention.sweep_every ?? 0;
      sweeps = startSweeps(deps, { sweepEvery }, sweeping.now);
      const publicUrl = config.public_url ?? '';
      const urls = { publicUrl, downloadUrl: config.download_url ?? publicUrl };
      components = startComponents(
        {
          ...deps,
          ...urls,
          speech: voices && posting && wakingSpeech(voices.speech, posting),
          ...(callbacks && { onStanza: callbacks.onStanza }),
          watchClocks: true,
        },
        config.component,
      );
      voices?.lead(true);
      callbacks?.begin();
      posting?.outbox.begin();
    },
    async end(lost) {
      // Its last answers need the streams.
      const grace = lost ? 0 : undefined;
      await Promise.all([callbacks?.end(grace), posting?.outbox.end(grace)]);
      voices?.lead(false);
      await components?.stop({ atOnce: lost });
      components = undefined;
      await sweeps?.stop();
      sweeps = undefined;
    },
  };
}

/** What waited goes out as soon as a stream is up. */
function wakingSpeech(speech: ComponentSpeech, { outbox }: Pick<SendDeps, 'outbox'>): ComponentSpeech {
  return {
    ...speech,
    up(component, connection) {
      speech.up(component, connection);
      outbox.resume();
    },
  };
}

/** The streams of the process that leads, asked from any. @throws RelayFault */
export async function streamsOf(relay: Relay): Promise<readonly StreamStatus[]> {
  const answer: Json = await relay.ask(STREAMS, null, STREAMS_MS);
  // What `leaderDuties` of the same program has sent.
  return answer as unknown as readonly StreamStatus[];
}
