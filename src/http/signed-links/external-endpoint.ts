import type { IncomingMessage } from 'node:http';
import { Refusal } from '../../base/errors.ts';
import { mediaTypesForName } from '../../policy/guess-media-type.ts';
import { parseMediaType, UNKNOWN_TYPE } from '../../policy/media-type.ts';
import { parseSignedPath, type SignedPath, signedLocator } from '../../policy/signed-path.ts';
import { locatorForSubpath } from '../../uploads/old-links.ts';
import type { UploadServices } from '../../uploads/services.ts';
import type { SignedUpload, Uploader } from '../../uploads/upload-request.ts';
import {
  contentTypeOrNull,
  type EndpointTarget,
  type FileEndpoint,
  requiredContentLength,
} from '../files/file-endpoint.ts';
import {
  findSignedType,
  parseDeleteSignature,
  parseUploadSignature,
  verifyDeleteSignature,
} from './hmac-signature.ts';

/** What a reload may change. */
export interface ExternalEndpointSettings {
  /** All are accepted. */
  readonly secrets: readonly string[];
  /** Null: nothing can be deleted from outside. */
  readonly deleteSecret: string | null;
  /** Bytes. */
  readonly maxFileSize: number;
  /** Bytes of one user whom nobody here knows by name; null = any. */
  readonly maxTotalSize: number | null;
}

export interface ExternalEndpointServices extends Pick<UploadServices, 'clock'> {
  readonly settings: () => ExternalEndpointSettings;
}

const MINUTE = 60_000;
/** How long after an upload its repetition is taken for one whose 201 got lost: these links never end by themselves. */
const REPEAT_FOR = 10 * MINUTE;
/** As share_v2.php has it. */
const MAX_TYPE_LENGTH = 255;

/**
 * Door 3: uploads whose path, size and type the XMPP server has signed by HMAC: Prosody's
 * mod_http_upload_external, ejabberd's `external_secret`, Metronome. `path` is `external.path`.
 */
export function externalEndpoint(deps: ExternalEndpointServices, path: string): FileEndpoint {
  return {
    path,
    name: 'external',
    locate: (below) => locatorForSubpath('external', below),
    readPut: (req, target) => {
      const signed = readUpload(deps, req, target);
      const { size, locator } = signed;
      return { by: { locator }, endpoint: 'external', size, type: contentTypeOrNull(req), signed };
    },
    deleteReader() {
      const { secrets, deleteSecret } = deps.settings();
      return deleteSecret === null ? undefined : (target) => readRemoval(secrets, deleteSecret, target);
    },
  };
}

function readUpload(
  { settings, clock }: ExternalEndpointServices,
  req: IncomingMessage,
  target: EndpointTarget,
): SignedUpload {
  const { secrets, maxFileSize, maxTotalSize } = settings();
  const signature = parseUploadSignature(target.query);
  if (signature === undefined)
    throw new Refusal('signature_wrong', { text: 'This upload link is not signed.' });
  const path = readPath(target.below);
  const size = requiredContentLength(req);
  const own = contentTypeOrNull(req);
  if (own !== null && own.length > MAX_TYPE_LENGTH) {
    throw new Refusal('bad_request', { text: 'The Content-Type is too long.' });
  }
  const type = findSignedType(secrets, signature, { path, size, type: own });
  if (type === undefined) throw new Refusal('signature_wrong');
  return {
    locator: signedLocator('external', path),
    uploader: uploaderIn(path),
    name: path.name,
    size,
    type: servedType(type, own, path.name),
    maxFileSize,
    maxTotalSize,
    deadline: clock() + REPEAT_FOR,
    repeatForMs: REPEAT_FOR,
    expiresAt: null,
  };
}

/** The signed type; where none was signed the PUT's own, else what the name tells. */
function servedType(signed: string, own: string | null, name: string): string {
  const type = signed !== '' ? signed : own?.trim() || mediaTypesForName(name)[0];
  return parseMediaType(type ?? '') ?? UNKNOWN_TYPE;
}

/** ejabberd's links begin with the hash of the user's JID (FIELD 5.5). */
function uploaderIn({ segments }: SignedPath): Uploader {
  const [first = ''] = segments;
  return segments.length === 3 && /^[0-9a-f]{40}$/i.test(first) ? { sha1: first.toLowerCase() } : 'anonymous';
}

/** The path of a PUT or DELETE; what can't be one was signed by nobody. */
function readPath(below: string): SignedPath {
  const path = parseSignedPath(below);
  if (path === 'too_long') throw new Refusal('name_too_long');
  if (path === 'malformed') throw new Refusal('bad_request', { text: 'The path of this link is malformed.' });
  return path;
}

function readRemoval(secrets: readonly string[], deleteSecret: string, { below, query }: EndpointTarget) {
  const path = readPath(below);
  if (!verifyDeleteSignature(secrets, deleteSecret, parseDeleteSignature(query), path))
    throw new Refusal('signature_wrong');
  return { locator: signedLocator('external', path), detail: 'deleted by the XMPP server' };
}
