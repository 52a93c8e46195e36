import mime from 'mime';
import { fileExtension } from './file-names.ts';
import { mediaTypeEssence } from './media-type.ts';

const DEFAULT_EXTENSION = 'bin';

/** Extensions that programs map to different types; the usual type first. */
const AMBIGUOUS_TYPES: Readonly<Record<string, readonly string[]>> = {
  '3gp': ['video/3gpp', 'audio/3gpp'],
  aac: ['audio/aac', 'audio/x-aac'],
  apk: ['application/vnd.android.package-archive'],
  avi: ['video/x-msvideo', 'video/avi'],
  bmp: ['image/bmp', 'image/x-ms-bmp'],
  flac: ['audio/flac', 'audio/x-flac'],
  gz: ['application/gzip', 'application/x-gzip'],
  ico: ['image/vnd.microsoft.icon', 'image/x-icon'],
  js: ['text/javascript', 'application/javascript'],
  m4a: ['audio/mp4', 'audio/x-m4a', 'audio/m4a'],
  mkv: ['video/matroska', 'video/x-matroska'],
  mp3: ['audio/mpeg', 'audio/mp3'],
  mp4: ['video/mp4', 'audio/mp4'],
  ogg: ['audio/ogg', 'audio/x-vorbis+ogg', 'video/ogg', 'application/ogg'],
  opus: ['audio/ogg', 'audio/opus', 'audio/x-opus+ogg'],
  rar: ['application/vnd.rar', 'application/x-rar'],
  wav: ['audio/wav', 'audio/x-wav', 'audio/vnd.wave'],
  webm: ['video/webm', 'audio/webm'],
  xml: ['application/xml', 'text/xml'],
  zip: ['application/zip', 'application/x-zip-compressed'],
};

/** Returns the media types that programs use for a file of this name, the usual one first; empty if unknown. */
export function mediaTypesForName(name: string): readonly string[] {
  const extension = fileExtension(name);
  if (Object.hasOwn(AMBIGUOUS_TYPES, extension)) return AMBIGUOUS_TYPES[extension] ?? [];
  const type = extension === '' ? null : mime.getType(extension);
  return type === null ? [] : [type];
}

/**
 * Returns the extension of a blob: the extension of its name if it fits the type, otherwise the usual one for the type, so that
 * a web server sends the right type. Without a type, returns the extension of the name.
 */
export function blobExtension(name: string, type?: string): string {
  const nameExtension = fileExtension(name);
  const wanted = type === undefined ? undefined : mediaTypeEssence(type);
  if (wanted === undefined || mediaTypesForName(name).includes(wanted))
    return nameExtension || DEFAULT_EXTENSION;
  return fileExtension(`.${mime.getExtension(wanted) ?? ''}`) || DEFAULT_EXTENSION;
}
