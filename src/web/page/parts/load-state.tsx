import { errorText, useLocale } from '../lib/language.ts';
import type { Loaded } from '../lib/load.ts';
import { ErrorText } from './error-text.tsx';

/** Shows that a value is loading, or why it could not be loaded. Shows nothing if it is loaded. */
export function LoadState({ loaded }: { loaded: Pick<Loaded<unknown>, 'value' | 'error' | 'reload'> }) {
  const locale = useLocale();
  if (loaded.error !== undefined) {
    return (
      <div class="stack">
        <ErrorText text={errorText(locale, loaded.error)} />
        <button type="button" onClick={loaded.reload}>
          {locale.words.retry}
        </button>
      </div>
    );
  }
  return loaded.value === undefined ? <p class="quiet">{locale.words.loading}</p> : null;
}
