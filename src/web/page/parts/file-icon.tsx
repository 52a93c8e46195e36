import { useState } from 'preact/hooks';
import type { ShownFile } from '../lib/files.ts';

const PATHS = {
  lock: 'M7 11V8a5 5 0 0 1 10 0v3M5 11h14v9H5z',
  image: 'M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01',
  video: 'M4 6h11v12H4zM15 11l5-3v8l-5-3',
  audio: 'M9 18V6l10-2v12M9 18a2.5 2.5 0 1 1-2.5-2.5H9zM19 16a2.5 2.5 0 1 1-2.5-2.5H19z',
  text: 'M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6',
  other: 'M6 3h8l4 4v14H6zM14 3v4h4',
};

/**
 * An icon for the type of a file, or its thumbnail if there is one. The text beside it says the same, so screen readers skip it.
 */
export function FileIcon({ file, hasThumbnails }: { file: ShownFile; hasThumbnails: boolean }) {
  const [isBroken, setIsBroken] = useState(false);
  const source = hasThumbnails && !isBroken ? thumbnailOf(file) : null;
  if (source !== null) {
    return (
      <img
        class="thumbnail"
        src={source}
        alt=""
        width={36}
        height={36}
        loading="lazy"
        decoding="async"
        onError={() => setIsBroken(true)}
      />
    );
  }
  return (
    <svg class="file-icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[kindOf(file)]} />
    </svg>
  );
}

function kindOf({ isEncrypted, type }: ShownFile): keyof typeof PATHS {
  if (isEncrypted) return 'lock';
  const kind = type.split('/')[0] ?? '';
  return kind === 'image' || kind === 'video' || kind === 'audio' || kind === 'text' ? kind : 'other';
}

/** Returns the address of the thumbnail, or null if there is none. No request leaves the origin of the page. */
export function thumbnailOf({ isEncrypted, thumbnailUrl }: ShownFile): string | null {
  if (isEncrypted || thumbnailUrl === null) return null;
  return new URL(thumbnailUrl, location.href).origin === location.origin ? thumbnailUrl : null;
}
