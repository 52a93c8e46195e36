import { randomId, sha256Hex } from './ids.ts';

/*
 * Keys of blobs. Every key of an upload begins with `ab/<id>`, where `ab` are the last two characters of its id: the first
 * ones are a timestamp and would fill one folder at a time.
 *
 *   slot key      ab/<id>.<ext>             written by imports; the name in links of `downloads.via: webserver`
 *   attempt key   ab/<id><attempt>.<ext>    written by one PUT only
 *   resumable     ab/<id><attempt>r.<ext>   written by the requests of one resumable upload, one after the other
 *   thumbnail     the stem of its file, then t<width>.<ext>; written once, or replaced as a whole
 *
 * A late PUT therefore cannot change the bytes of the stored one. No row of the ledger contains the key of a thumbnail: it is derived
 * from the key of its file.
 */

const ID_LENGTH = 26;
/** 60 random bits. They must only be different for the attempts of one upload. */
const ATTEMPT_LENGTH = 12;

/** Returns the slot key. The extension lets a web server send the right media type. */
export function slotBlobKey(id: string, extension: string): string {
  return `${id.slice(-2)}/${id}.${extension}`;
}

/** Returns the key for the attempt with this claim token. `key`: any key of the same upload. */
export function attemptBlobKey(key: string, token: string): string {
  const { folder, id, extension } = splitKey(key);
  return `${folder}/${id}${attemptSuffix(token)}.${extension}`;
}

/** Returns the part of an attempt key after the id of the upload. */
export const attemptSuffix = (token: string): string => token.slice(0, ATTEMPT_LENGTH);

/** Marks the keys of resumable uploads. An unfinished one may have more than one object in a store. */
const RESUMABLE_MARK = 'r';

/** Returns the part of a resumable key after the id of the upload. */
const resumableSuffix = (token: string): string => attemptSuffix(token) + RESUMABLE_MARK;

/** Returns the key of the resumable upload that begins with this claim token. `key`: any key of the same upload. */
export function resumableBlobKey(key: string, token: string): string {
  const { folder, id, extension } = splitKey(key);
  return `${folder}/${id}${resumableSuffix(token)}.${extension}`;
}

/** Returns whether the bytes under a key were, or are being, written by a resumable upload. */
export function isResumableBlobKey(key: string): boolean {
  const stem = key.slice(key.lastIndexOf('/') + 1).split('.', 1)[0] ?? '';
  return stem.length === ID_LENGTH + ATTEMPT_LENGTH + RESUMABLE_MARK.length && stem.endsWith(RESUMABLE_MARK);
}

/** Characters of the writer tag in the key of an attempt without a claim. It identifies the process that has written it, by 32 bits. */
const TAG_LENGTH = 8;

/** The last result of `writerTag`. A process mostly needs its own tag. */
let lastTag = { instance: '', tag: '' };

/** Returns the tag of a process in the keys of its attempts. */
export function writerTag(instance: string): string {
  if (lastTag.instance !== instance) lastTag = { instance, tag: sha256Hex(instance).slice(0, TAG_LENGTH) };
  return lastTag.tag;
}

/** Returns a token for an attempt without a claim. The blob key of the attempt then contains the tag of the process. */
export const directToken = (instance: string): string => writerTag(instance) + randomId();

/** Returns the writer tag in the key of an attempt without a claim. Returns an arbitrary text for other keys. */
export function writerTagInBlobKey(key: string): string {
  const slash = key.lastIndexOf('/');
  return key.slice(slash + 1 + ID_LENGTH, slash + 1 + ID_LENGTH + TAG_LENGTH);
}

/** Returns the slot key of the upload that a key belongs to. */
export function toSlotBlobKey(key: string): string {
  const { folder, id, extension } = splitKey(key);
  return `${folder}/${id}.${extension}`;
}

export const isAttemptBlobKey = (key: string): boolean => toSlotBlobKey(key) !== key;

/** Returns the id of the upload that a key belongs to. Accepts the keys of unfinished writes (`….part`) too. */
export function idInBlobKey(key: string): string {
  return splitKey(key).id;
}

/** Returns the name of an unfinished blob. It is never the key of a blob. */
export const partKey = (key: string): string => `${key}.part`;

/** Returns the blob key for the name of an unfinished blob, or undefined for other names. */
export function parsePartKey(name: string): string | undefined {
  return /^[^.]+\.[^.]+\.part$/.test(name) ? name.slice(0, -'.part'.length) : undefined;
}

/** Returns the name under which a store keeps the last bytes of an unfinished resumable upload beside its parts. */
export const tailKey = (key: string): string => `${key}.tail`;

/** Returns the blob key for the name of a tail, or undefined for other names. */
export function parseTailKey(name: string): string | undefined {
  return /^[^.]+\.[^.]+\.tail$/.test(name) ? name.slice(0, -'.tail'.length) : undefined;
}

/** Longest sides of thumbnails in pixels: the values of `?thumb=`. */
export const THUMBNAIL_WIDTHS = [320, 640] as const;
export type ThumbnailWidth = (typeof THUMBNAIL_WIDTHS)[number];

/** Extensions of the picture types that get thumbnails. */
const PICTURE_EXTENSIONS = new Set(['apng', 'avif', 'gif', 'jfif', 'jpe', 'jpeg', 'jpg', 'png', 'webp']);

/** Returns whether the extension of a blob key is that of a picture that gets thumbnails. */
export function mayHaveThumbnails(key: string): boolean {
  return PICTURE_EXTENSIONS.has(splitKey(key).extension);
}

/** Returns the key of a thumbnail. `key`: the key of its file. */
export function thumbnailBlobKey(key: string, width: ThumbnailWidth): string {
  const dot = key.indexOf('.');
  return `${key.slice(0, dot)}t${width}${key.slice(dot)}`;
}

/** Returns the keys of all thumbnails that a file may have. */
export function thumbnailKeysOf(key: string): string[] {
  return mayHaveThumbnails(key) ? THUMBNAIL_WIDTHS.map((width) => thumbnailBlobKey(key, width)) : [];
}

const THUMBNAIL_KEY = /^([^/]+\/[0-9a-z]{26}(?:[0-9a-z]{12}r?)?)t[0-9]{3}(\.[0-9a-z]+)$/;

/** Returns the key of the file to which a thumbnail belongs, or undefined for other keys. */
export function fileKeyOfThumbnail(key: string): string | undefined {
  const match = THUMBNAIL_KEY.exec(key);
  return match ? `${match[1]}${match[2]}` : undefined;
}

function splitKey(key: string): { folder: string; id: string; extension: string } {
  const slash = key.lastIndexOf('/');
  const [stem = '', ...extensions] = key.slice(slash + 1).split('.');
  return {
    folder: key.slice(0, Math.max(0, slash)),
    id: stem.slice(0, ID_LENGTH),
    extension: extensions.join('.'),
  };
}
