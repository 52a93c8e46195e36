import { useEffect, useState } from 'preact/hooks';

/** The part of the address after `#/`: `#/users/romeo%40example.org?sort=name`. */
export interface PageRoute {
  /** `files` if the address has no path. */
  readonly view: string;
  /** The second part of the path, decoded; empty if absent. */
  readonly argument: string;
  readonly query: URLSearchParams;
}

function parseRoute(hash: string): PageRoute {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const [view = '', argument = ''] = path.split('/');
  return { view: view || 'files', argument: decode(argument), query: new URLSearchParams(query) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Returns the address of a view on this page. Empty values of the query are left out. */
export function linkTo(view: string, argument = '', query: Readonly<Record<string, string>> = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== '');
  const path = argument === '' ? view : `${view}/${encodeURIComponent(argument)}`;
  return `#/${path}${given.length > 0 ? `?${new URLSearchParams(given)}` : ''}`;
}

export function goTo(link: string): void {
  location.hash = link;
}

/** Replaces the current address without a new entry in the history, such as for a search text while it is typed. */
export function replaceRoute(link: string): void {
  history.replaceState(null, '', link);
  dispatchEvent(new HashChangeEvent('hashchange'));
}

export function useRoute(): PageRoute {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const update = () => setRoute(parseRoute(location.hash));
    addEventListener('hashchange', update);
    return () => removeEventListener('hashchange', update);
  }, []);
  return route;
}
