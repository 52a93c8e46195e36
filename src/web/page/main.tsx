import { render } from 'preact';
import { App } from './app.tsx';
import { loadLocale, preferredLanguage } from './lib/language.ts';
import { readService } from './lib/session.ts';
import { registerShareWorker } from './lib/shared-files.ts';
import { applyTheme, chosenTheme } from './lib/theme.ts';

applyTheme(chosenTheme());
const root = document.getElementById('app');
const [locale, start] = await Promise.all([loadLocale(preferredLanguage()), readService()]);
if (root) {
  root.replaceChildren();
  render(<App firstLocale={locale} start={start} />, root);
}
registerShareWorker();
