import { useEffect, useRef } from 'preact/hooks';
import { useLocale } from '../lib/language.ts';
import { linkTo } from '../lib/route.ts';
import type { Section } from '../lib/sections.ts';

/** Links to the views: beside the content, or above it on a phone. */
export function Navigation({ sections, current }: { sections: readonly Section[]; current: string }) {
  const { words } = useLocale();
  const own = sections.filter(({ isAdministration }) => !isAdministration);
  const administration = sections.filter(({ isAdministration }) => isAdministration);
  const nav = useRef<HTMLElement>(null);
  const shown = current === 'user' ? 'users' : current;
  // On a phone the links are wider than the page.
  useEffect(() => {
    const link = nav.current?.querySelector<HTMLElement>('[aria-current]');
    if (shown !== '' && link) nav.current?.scrollTo({ left: link.offsetLeft - nav.current.offsetWidth / 3 });
  }, [shown]);
  const list = (group: readonly Section[]) => (
    <ul>
      {group.map(({ view, title }) => (
        <li key={view}>
          <a href={linkTo(view)} {...(view === shown && { 'aria-current': 'page' })}>
            {words.views[title]}
          </a>
        </li>
      ))}
    </ul>
  );
  return (
    <nav ref={nav} class="navigation" aria-label={words.navigation}>
      {own.length > 0 && list(own)}
      {administration.length > 0 && (
        <>
          <h2>{words.administration}</h2>
          {list(administration)}
        </>
      )}
    </nav>
  );
}
