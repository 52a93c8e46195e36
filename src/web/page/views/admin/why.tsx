import { useState } from 'preact/hooks';
import { call } from '../../lib/api.ts';
import { useLocale } from '../../lib/language.ts';
import { useLoaded } from '../../lib/load.ts';
import { goTo, linkTo, type PageRoute } from '../../lib/route.ts';
import { Field } from '../../parts/field.tsx';
import { LoadState } from '../../parts/load-state.tsx';

/** Explains a link, an id or an address, like the command `porter why`. */
export function WhyView({ route }: { route: PageRoute }) {
  const { words } = useLocale();
  const [target, setTarget] = useState(route.argument);
  return (
    <div class="stack">
      <p>{words.whyHint}</p>
      <form
        class="tools"
        onSubmit={(event) => {
          event.preventDefault();
          goTo(linkTo('why', target.trim()));
        }}
      >
        <Field
          label={words.whyTarget}
          type="search"
          autocapitalize="none"
          value={target}
          onText={setTarget}
        />
        <button type="submit" class="primary">
          {words.explain}
        </button>
      </form>
      {route.argument !== '' && <Explanation target={route.argument} />}
    </div>
  );
}

function Explanation({ target }: { target: string }) {
  const loaded = useLoaded(target, (signal) => call('GET /admin/why', { query: { target }, signal }));
  if (loaded.value === undefined) return <LoadState loaded={loaded} />;
  return (
    <pre class="answer" role="status">
      {loaded.value.lines.join('\n')}
    </pre>
  );
}
