import type { Answer } from '../lib/api.ts';
import { useLocale } from '../lib/language.ts';
import { linkTo } from '../lib/route.ts';

type Refusal = Answer<'GET /admin/user'>['refusals'][number] & { readonly owner?: string };

/** Refused uploads with their texts, as their users saw them. */
export function RefusalList({ refusals }: { refusals: readonly Refusal[] }) {
  const { words, formats } = useLocale();
  if (refusals.length === 0) return <p class="quiet">{words.noRefusals}</p>;
  return (
    <ul class="cards">
      {refusals.map(({ owner, code, text, times, lastAt, fileName, size, endpoint }) => (
        <li key={`${owner} ${code} ${endpoint} ${lastAt} ${fileName}`} class="card">
          {owner !== undefined && (
            <p>
              <a href={linkTo('user', owner)}>{owner}</a>
            </p>
          )}
          <p>{text}</p>
          <p class="quiet">
            {[
              fileName,
              size === null ? '' : formats.bytes(size),
              endpoint,
              `${formats.number(times)}×`,
              formats.relative(lastAt),
            ]
              .filter((part) => part !== '')
              .join(' · ')}
          </p>
        </li>
      ))}
    </ul>
  );
}
