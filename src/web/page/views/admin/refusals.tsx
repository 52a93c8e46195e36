import { call } from '../../lib/api.ts';
import { useLocale } from '../../lib/language.ts';
import { useLoaded } from '../../lib/load.ts';
import { LoadState } from '../../parts/load-state.tsx';
import { RefusalList } from '../../parts/refusal-list.tsx';

/** The view of a user lists all refusals of that user. */
const LIMIT = '200';

/** The refused uploads of all users within the last day. */
export function RefusalsView() {
  const { words } = useLocale();
  const loaded = useLoaded('refusals', (signal) =>
    call('GET /admin/refusals', { query: { limit: LIMIT }, signal }),
  );
  return (
    <div class="stack">
      <p>{words.refusalsHint}</p>
      <LoadState loaded={loaded} />
      {loaded.value && <RefusalList refusals={loaded.value.refusals} />}
    </div>
  );
}
