import { useEffect, useRef, useState } from 'preact/hooks';
import { useLocale } from '../lib/language.ts';
import { type UploadQueue, useUploads } from '../lib/upload-queue.ts';
import { UnfinishedList } from './unfinished-list.tsx';
import { UploadRow } from './upload-row.tsx';

/** Uploads files that are chosen, dropped anywhere on the page, or pasted. */
export function UploadPanel({ queue, isAllowed }: { queue: UploadQueue; isAllowed: boolean }) {
  const { words } = useLocale();
  const uploads = useUploads(queue);
  const input = useRef<HTMLInputElement>(null);
  const isDragging = useDropped((files) => isAllowed && queue.add(files));
  return (
    <section class="upload-panel" aria-label={words.upload}>
      {isAllowed && (
        <div class="upload-start">
          <input
            ref={input}
            type="file"
            multiple
            hidden
            onChange={({ currentTarget }) => {
              queue.add(currentTarget.files ?? []);
              currentTarget.value = '';
            }}
          />
          <button type="button" class="primary" onClick={() => input.current?.click()}>
            {words.upload}
          </button>
          <span class="quiet">{words.dropHint}</span>
        </div>
      )}
      {isDragging && isAllowed && <div class="drop-target">{words.dropNow}</div>}
      {isAllowed && queue.unfinished && <UnfinishedList uploads={queue.unfinished} />}
      {uploads.length > 0 && (
        <>
          <ul class="uploads" aria-label={words.uploads}>
            {uploads.map((upload) => (
              <UploadRow key={upload.id} upload={upload} queue={queue} />
            ))}
          </ul>
          {uploads.some(({ state }) => state === 'done' || state === 'failed') && (
            <button type="button" class="link-button" onClick={() => queue.clear()}>
              {words.clearUploads}
            </button>
          )}
        </>
      )}
    </section>
  );
}

/** Calls `take` with files that are dropped or pasted on the page. Returns true while files are dragged over it. */
function useDropped(take: (files: Iterable<File>) => void): boolean {
  const [isDragging, setDragging] = useState(false);
  const latest = useRef(take);
  latest.current = take;
  useEffect(() => {
    const listeners = {
      dragover(event: DragEvent) {
        if (!event.dataTransfer?.types.includes('Files')) return;
        event.preventDefault();
        setDragging(true);
      },
      dragleave(event: DragEvent) {
        // Only if the pointer leaves the window.
        if (event.relatedTarget === null) setDragging(false);
      },
      drop(event: DragEvent) {
        setDragging(false);
        const files = event.dataTransfer?.files ?? [];
        if (files.length === 0) return;
        event.preventDefault();
        latest.current(files);
      },
      paste(event: ClipboardEvent) {
        const files = event.clipboardData?.files ?? [];
        if (files.length > 0) latest.current(files);
      },
    };
    for (const [type, listener] of Object.entries(listeners))
      addEventListener(type, listener as EventListener);
    return () => {
      for (const [type, listener] of Object.entries(listeners))
        removeEventListener(type, listener as EventListener);
    };
  }, []);
  return isDragging;
}
