import mime from 'mime';
import { fileExtension } from './file-names.ts';
import { mediaTypeEssence } from './media-type.ts';

const UNKNOWN_ENDING = 'bin';

/** Endings for which programs that guess do not agree; the usual type first. */
const DISPUTED: Readonly<Record<string, readonly string[]>> = {
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

/** The media types that programs take a file of this name for, the usual one first; none where nobody knows. */
export function mediaTypesForName(name: string): readonly string[] {
  const ending = fileExtension(name);
  if (Object.hasOwn(DISPUTED, ending)) return DISPUTED[ending] ?? [];
  const type = ending === '' ? null : mime.getType(ending);
  return type === null ? [] : [type];
}

/**
 * The ending of a blob: that of its name where programs take it for the type, else one that they do take for it,
 * so that nobody serves it as something else. Without a type, that of its name.
 */
export function blobExtension(name: string, type?: string): string {
  const own = fileExtension(name);
  const meant = type === undefined ? undefined : mediaTypeEssence(type);
  if (meant === undefined || mediaTypesForName(name).includes(meant)) return own || UNKNOWN_ENDING;
  return fileExtension(`.${mime.getExtension(meant) ?? ''}`) || UNKNOWN_ENDING;
}
