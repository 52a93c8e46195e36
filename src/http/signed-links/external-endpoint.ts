import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import { Refusal } from '../../base/errors.ts';
import { type MoreTypes, mediaTypesForName, parseMediaType, UNKNOWN_TYPE } from '../../policy/media-type.ts';
import { parseSignedPath, type SignedPath, signedLocator } from '../../policy/signed-path.ts';
import { locatorForSubpath } from '../../uploads/old-links.ts';
import type { SignedUpload, Uploader } from '../../uploads/upload-request.ts';
import {
  contentTypeOrNull,
  type EndpointTarget,
  type FileEndpoint,
  requiredSize,
} from '../files/file-endpoint.ts';
import {
  findSignedType,
  parseDeleteSignature,
  parseUploadSignature,
  verifyDeleteSignature,
} from './hmac-signature.ts';

/** Settings that a reload may change. */
export interface ExternalEndpointSettings {
  /** A signature by any of them is valid. */
  readonly secrets: readonly string[];
  /** Null if DELETE is not allowed. */
  readonly deleteSecret: string | null;
  /** Bytes. */
  readonly maxFileSize: number;
  /** Bytes per user whose JID is unknown; null for no limit. */
  readonly maxTotalSize: number | null;
  readonly maxFiles: number | null;
  /** `uploads.types`. */
  readonly types?: MoreTypes;
}

export interface ExternalEndpointServices {
  readonly clock: Clock;
  readonly settings: () => ExternalEndpointSettings;
}

const MINUTE = 60_000;
/** Time after an upload during which the same PUT succeeds again, as its 201 may have been lost. The links never expire. */
const REPEAT_MS = 10 * MINUTE;
/** Characters. The limit of share_v2.php of mod_http_upload_external. */
const MAX_TYPE_LENGTH = 255;

/**
 * Uploads whose path, size and type the XMPP server has signed by HMAC: Prosody's mod_http_upload_external, ejabberd's
 * `external_secret`, Metronome. `path` is `external.path`.
 */
export function externalEndpoint(services: ExternalEndpointServices, path: string): FileEndpoint {
  return {
    path,
    name: 'external',
    locate: (below) => locatorForSubpath('external', below),
    readPut: (req, target) => {
      const signed = readSignedUpload(services, req, target);
      const { size, locator } = signed;
      return { by: { locator }, endpoint: 'external', size, type: contentTypeOrNull(req), signed };
    },
    deleteReader() {
      const { secrets, deleteSecret } = services.settings();
      return deleteSecret === null ? undefined : (target) => readSignedDelete(secrets, deleteSecret, target);
    },
  };
}

function readSignedUpload(
  { settings, clock }: ExternalEndpointServices,
  req: IncomingMessage,
  target: EndpointTarget,
): SignedUpload {
  const { secrets, maxFileSize, maxTotalSize, maxFiles, types } = settings();
  const signature = parseUploadSignature(target.query);
  if (signature === undefined)
    throw new Refusal('signature_wrong', { text: 'This upload link has no signature.' });
  const path = requirePath(target.below);
  const size = requiredSize(req);
  const contentType = contentTypeOrNull(req);
  if (contentType !== null && contentType.length > MAX_TYPE_LENGTH) {
    throw new Refusal('bad_request', { text: 'The Content-Type is too long.' });
  }
  const type = findSignedType(secrets, signature, { path, size, type: contentType });
  if (type === undefined) throw new Refusal('signature_wrong');
  return {
    locator: signedLocator('external', path),
    uploader: uploaderFromPath(path),
    name: path.name,
    size,
    type: servedType(type, contentType, path.name, types),
    maxFileSize,
    maxTotalSize,
    maxFiles,
    deadline: clock() + REPEAT_MS,
    repeatForMs: REPEAT_MS,
    expiresAt: null,
  };
}

/** Returns the signed type; if it is empty, the type of the PUT; if that is missing, the usual type for the name. */
function servedType(signed: string, contentType: string | null, name: string, types?: MoreTypes): string {
  const type = signed !== '' ? signed : contentType?.trim() || mediaTypesForName(name, types)[0];
  return parseMediaType(type ?? '') ?? UNKNOWN_TYPE;
}

/** ejabberd's links begin with the SHA-1 of the user's JID (docs/protocols.md, "ejabberd"). */
function uploaderFromPath({ segments }: SignedPath): Uploader {
  const [first = ''] = segments;
  return segments.length === 3 && /^[0-9a-f]{40}$/i.test(first) ? { sha1: first.toLowerCase() } : 'anonymous';
}

/** Parses the path of a PUT or DELETE. Throws `Refusal`. */
function requirePath(below: string): SignedPath {
  const path = parseSignedPath(below);
  if (path === 'too_long') throw new Refusal('name_too_long');
  if (path === 'malformed') throw new Refusal('bad_request', { text: 'The path of this link is malformed.' });
  return path;
}

function readSignedDelete(
  secrets: readonly string[],
  deleteSecret: string,
  { below, query }: EndpointTarget,
) {
  const path = requirePath(below);
  if (!verifyDeleteSignature(secrets, deleteSecret, parseDeleteSignature(query), path))
    throw new Refusal('signature_wrong');
  return { locator: signedLocator('external', path), detail: 'deleted by the XMPP server' };
}
