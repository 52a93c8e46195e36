import { useLocale } from '../lib/language.ts';

export function NotFoundView() {
  const { words } = useLocale();
  return (
    <p>
      {words.notFound} <a href="#/files">{words.toFiles}</a>
    </p>
  );
}
