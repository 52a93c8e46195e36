import { useEffect, useState } from 'preact/hooks';
import { deleteResource } from '../lib/file-transfer.ts';
import { useLocale } from '../lib/language.ts';
import type { UnfinishedUpload, UnfinishedUploads } from '../lib/unfinished-uploads.ts';

/** Uploads of a page that was closed. They are resumed when the user chooses their files again. */
export function UnfinishedList({ uploads }: { uploads: UnfinishedUploads }) {
  const { words, formats } = useLocale();
  const idle = useIdle(uploads);
  if (idle.length === 0) return null;
  const discard = (resource: string) => {
    deleteResource(resource);
    uploads.forget(resource);
  };
  return (
    <section class="unfinished" aria-label={words.unfinished}>
      <p class="quiet">{words.unfinishedHint}</p>
      <ul class="uploads">
        {idle.map(({ name, size, sentBytes, resource }) => (
          <li class="upload" key={resource}>
            <div class="upload-line">
              <span class="upload-name">{name}</span>
              <span class="quiet">{words.resumesAt(formats.percent(sentBytes / size))}</span>
              <button
                type="button"
                class="icon-button"
                aria-label={`${words.cancel}: ${name}`}
                onClick={() => discard(resource)}
              >
                ×
              </button>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

function useIdle(uploads: UnfinishedUploads): readonly UnfinishedUpload[] {
  const [idle, setIdle] = useState<readonly UnfinishedUpload[]>([]);
  useEffect(() => {
    let isShown = true;
    const read = () =>
      void uploads.listIdle().then((found) => {
        if (isShown) setIdle(found);
      });
    read();
    const end = uploads.subscribe(read);
    return () => {
      isShown = false;
      end();
    };
  }, [uploads]);
  return idle;
}
