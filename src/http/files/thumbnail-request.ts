import { THUMBNAIL_WIDTHS, type ThumbnailWidth } from '../../base/blob-keys.ts';
import type { CachedFile } from '../../uploads/file-cache.ts';

/**
 * Returns the width that a request target asks for (`?thumb=320`), `unsupported` for any other value, or undefined if it asks for the
 * file itself.
 */
export function requestedThumbnail(target: string): ThumbnailWidth | 'unsupported' | undefined {
  const queryStart = target.indexOf('?');
  if (queryStart < 0) return undefined;
  const value = new URLSearchParams(target.slice(queryStart + 1)).get('thumb');
  if (value === null) return undefined;
  return THUMBNAIL_WIDTHS.find((width) => String(width) === value) ?? 'unsupported';
}

/** Returns a thumbnail as a cached file, so that its headers are computed like those of any file. */
export function asFile({ upload }: CachedFile, width: ThumbnailWidth, body: Buffer): CachedFile {
  const { id, name } = upload;
  const stem = name.replace(/\.[^.]*$/, '');
  return {
    upload: {
      ...upload,
      id: `${id}-${width}`,
      name: `${stem || 'thumbnail'}.webp`,
      type: 'image/webp',
      size: body.length,
    },
    body,
    freshUntil: 0,
    headers: undefined,
  };
}
