import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../base/errors.ts';
import { NotWellFormedError, parseElement } from './parse.ts';

/** RFC 6121 §5.2.2, without `error`. */
export const MESSAGE_TYPES = ['chat', 'normal', 'headline', 'groupchat'] as const;
export type MessageType = (typeof MESSAGE_TYPES)[number];

/** A message to one recipient. The texts contain no characters that XML forbids. */
export interface OutgoingMessage {
  readonly type: MessageType;
  readonly body?: string | undefined;
  readonly subject?: string | undefined;
  readonly thread?: string | undefined;
  /** Language tag (RFC 5646). */
  readonly lang?: string | undefined;
  /** Result of `parseXhtmlIm`. Omitted in messages to rooms, because many rooms drop them silently. */
  readonly html?: Element | undefined;
  readonly file?: SharedFile | undefined;
}

/** A stored file as its recipient sees it. */
export interface SharedFile {
  /** Unique in a conversation, so that later messages can refer to the file (XEP-0447, `id`). */
  readonly id: string;
  readonly url: string;
  readonly name: string;
  readonly type: string;
  /** Bytes. */
  readonly size: number;
  /** Base64 SHA-256 of the bytes; undefined if unknown. */
  readonly sha256?: string | undefined;
  /** Pixels; undefined if it is no picture or its size is unknown. */
  readonly picture?: { readonly width: number; readonly height: number } | undefined;
  /** A small version of the picture (XEP-0264). */
  readonly thumbnail?: Thumbnail | undefined;
}

export interface Thumbnail {
  readonly url: string;
  /** Media type. */
  readonly type: string;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
}

/** Builds the stanza without `from`, which the sender adds. If there is a file, the body is its URL alone. */
export function buildMessage(message: OutgoingMessage, to: string, id: string): Element {
  const { type, subject, thread, lang, html, file } = message;
  const body = file?.url ?? message.body;
  const attributes = { type, to, id, ...(lang !== undefined && { 'xml:lang': lang }) };
  return xml(
    'message',
    attributes,
    ...(subject === undefined ? [] : [xml('subject', {}, subject)]),
    ...(body === undefined ? [] : [xml('body', {}, body)]),
    ...(thread === undefined ? [] : [xml('thread', {}, thread)]),
    ...(html === undefined || type === 'groupchat' ? [] : [html]),
    ...(file === undefined ? [] : linkElements(file)),
  );
}

/**
 * Marks the body as the link of a file: XEP-0066 §3 for all clients, and XEP-0447 with the metadata of XEP-0446 for
 * newer ones. XEP-0428 marks the body as their fallback.
 */
function linkElements({ id, url, name, type, size, sha256, picture, thumbnail }: SharedFile): Element[] {
  const disposition = /^(?:image|video|audio)\//.test(type) ? 'inline' : 'attachment';
  const file = xml(
    'file',
    'urn:xmpp:file:metadata:0',
    xml('media-type', {}, type),
    xml('name', {}, name),
    xml('size', {}, String(size)),
    ...(picture === undefined
      ? []
      : [xml('width', {}, String(picture.width)), xml('height', {}, String(picture.height))]),
    ...(thumbnail === undefined ? [] : [thumbnailElement(thumbnail)]),
    ...(sha256 === undefined ? [] : [xml('hash', { xmlns: 'urn:xmpp:hashes:2', algo: 'sha-256' }, sha256)]),
  );
  const source = xml('url-data', { xmlns: 'http://jabber.org/protocol/url-data', target: url });
  return [
    xml('x', 'jabber:x:oob', xml('url', {}, url)),
    xml('file-sharing', { xmlns: 'urn:xmpp:sfs:0', disposition, id }, file, xml('sources', {}, source)),
    xml('fallback', { xmlns: 'urn:xmpp:fallback:0', for: 'urn:xmpp:sfs:0' }, xml('body', {})),
  ];
}

/** XEP-0264 §2.1. */
function thumbnailElement({ url, type, width, height }: Thumbnail): Element {
  return xml('thumbnail', {
    xmlns: 'urn:xmpp:thumbs:1',
    uri: url,
    'media-type': type,
    width: String(width),
    height: String(height),
  });
}

const XHTML = 'http://www.w3.org/1999/xhtml';

/** Parses the content of an XHTML-IM body (XEP-0071). Throws `Refusal` (`bad_request`) if it is not well-formed. */
export function parseXhtmlIm(fragment: string): Element {
  try {
    const body = parseElement(`<body xmlns='${XHTML}'>${fragment}</body>`);
    return xml('html', 'http://jabber.org/protocol/xhtml-im', body);
  } catch (error) {
    if (!(error instanceof NotWellFormedError)) throw error;
    throw new Refusal('bad_request', {
      text: `The field html is not well-formed. ${error.message}`,
      cause: error,
    });
  }
}
