import { useState } from 'preact/hooks';
import { type Answer, call } from '../lib/api.ts';
import { fileCountText } from '../lib/files.ts';
import { useLocale } from '../lib/language.ts';
import { useLoaded } from '../lib/load.ts';
import { LoadState } from './load-state.tsx';
import { RelativeTime } from './relative-time.tsx';

type Sweep = Answer<'GET /admin/sweeps'>['sweeps'][number];

const SHOWN = 5;

/** The last sweeps and what they have removed. */
export function Sweeps() {
  const { words, formats } = useLocale();
  const [isAll, setAll] = useState(false);
  const loaded = useLoaded('sweeps', (signal) => call('GET /admin/sweeps', { signal }));
  const sweeps = loaded.value?.sweeps ?? [];
  return (
    <section class="stack">
      <h2>{words.sweeps}</h2>
      <LoadState loaded={loaded} />
      {loaded.value && sweeps.length === 0 && <p class="quiet">{words.noSweeps}</p>}
      {sweeps.length > 0 && (
        <table class="list">
          <caption class="visually-hidden">{words.sweeps}</caption>
          <thead>
            <tr>
              <th scope="col">{words.at}</th>
              <th scope="col">{words.removed}</th>
              <th class="wide number" scope="col">
                {words.duration}
              </th>
            </tr>
          </thead>
          <tbody>
            {sweeps.slice(0, isAll ? sweeps.length : SHOWN).map((sweep) => (
              <tr key={sweep.startedAt}>
                <td>
                  <RelativeTime at={sweep.startedAt} />
                </td>
                <td>{describe(sweep)}</td>
                <td class="wide number">{words.seconds(formats.number(sweep.durationMs / 1000))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {!isAll && sweeps.length > SHOWN && (
        <button type="button" class="more-button" onClick={() => setAll(true)}>
          {words.more}
        </button>
      )}
    </section>
  );

  function describe({ expired, softQuota, bytes, unused, deadClaims, records }: Sweep): string {
    const { sweepCounts: texts } = words;
    const files = fileCountText(words, formats, expired + softQuota);
    const parts = [
      expired + softQuota > 0 && `${files}, ${formats.bytes(bytes)}`,
      unused > 0 && texts.unused(formats.number(unused)),
      deadClaims > 0 && texts.deadClaims(formats.number(deadClaims)),
      records > 0 && texts.records(formats.number(records)),
    ].filter((part) => part !== false);
    return parts.length === 0 ? words.nothing : parts.join(' · ');
  }
}
