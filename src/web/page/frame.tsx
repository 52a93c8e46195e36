import { useEffect, useRef } from 'preact/hooks';
import type { Language } from './lib/language.ts';
import { useLocale } from './lib/language.ts';
import { useRoute } from './lib/route.ts';
import { sectionsFor } from './lib/sections.ts';
import { usePageSession } from './lib/session.ts';
import { Navigation } from './parts/navigation.tsx';
import { PageFooter } from './parts/page-footer.tsx';
import { UserMenu } from './parts/user-menu.tsx';
import { titleOf, viewFor } from './views/views.tsx';

/** The header, the navigation, the view of the current address, and the footer. */
export function Frame({ onLanguage }: { onLanguage: (language: Language) => void }) {
  const { words } = useLocale();
  const { service, session } = usePageSession();
  const route = useRoute();
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  const view = viewFor(route, session);
  const title = titleOf(view, words);
  useEffect(() => {
    document.title = `${title} – ${service.title}`;
  }, [title, service.title]);
  // Moves the focus, so that a screen reader continues at the new view.
  useEffect(() => {
    if (!isFirst.current) main.current?.focus();
    isFirst.current = false;
  }, [view.name, route.argument]);
  const sections = session === null || view.name === 'guest' ? [] : sectionsFor(service, session);
  return (
    <div class={sections.length > 0 ? 'frame has-navigation' : 'frame'}>
      <button type="button" class="skip-link" onClick={() => main.current?.focus()}>
        {words.skipToContent}
      </button>
      <header class="page-head">
        <a class="brand" href="#/files">
          <img src="icon.svg" alt="" width="28" height="28" />
          <span>{service.title}</span>
        </a>
        {session !== null && view.name !== 'guest' && <UserMenu session={session} />}
      </header>
      {sections.length > 0 && <Navigation sections={sections} current={route.view} />}
      <main id="content" ref={main} tabIndex={-1}>
        <h1>{title}</h1>
        <view.View key={`${view.name} ${route.argument}`} route={route} />
      </main>
      <PageFooter contacts={service.contacts} onLanguage={onLanguage} />
    </div>
  );
}
