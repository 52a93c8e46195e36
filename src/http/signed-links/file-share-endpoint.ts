import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import { Refusal } from '../../base/errors.ts';
import { describeInvalidJid, parseBareJid } from '../../base/jid.ts';
import { parseMediaType, UNKNOWN_TYPE } from '../../policy/media-type.ts';
import { parseSignedPath, signedLocator } from '../../policy/signed-path.ts';
import { locatorForSubpath } from '../../uploads/old-links.ts';
import type { SignedUpload } from '../../uploads/upload-request.ts';
import { parseBearerToken } from '../common/authorization.ts';
import {
  contentLengthOrNull,
  contentTypeOrNull,
  type EndpointTarget,
  type FileEndpoint,
} from '../files/file-endpoint.ts';
import { wholeSize } from '../files/resumable/whole-size.ts';
import { subjectOfToken, type UploadTokenClaims, verifyUploadToken } from './upload-token.ts';

/** Settings that a reload may change. */
export interface FileShareEndpointSettings {
  /** A signature by any of them is valid. */
  readonly secrets: readonly string[];
}

export interface FileShareEndpointServices {
  readonly clock: Clock;
  readonly settings: () => FileShareEndpointSettings;
}

/**
 * Uploads with a token (JWT) of Prosody's mod_http_file_share. The token names the user, so access rules and quotas apply.
 * `path` is `file_share.path`.
 */
export function fileShareEndpoint(services: FileShareEndpointServices, path: string): FileEndpoint {
  return {
    path,
    name: 'file_share',
    locate: (below) => locatorForSubpath('file_share', below),
    readPut(req, target) {
      const signed = readSignedUpload(services, req, target);
      const { locator } = signed;
      return {
        by: { locator },
        endpoint: 'file_share',
        size: sizeOf(req),
        type: contentTypeOrNull(req),
        signed,
      };
    },
  };
}

/** Returns the declared size of the file in bytes; null if the request does not name it. */
function sizeOf(req: IncomingMessage): number | null {
  const whole = wholeSize(req);
  return whole === undefined ? contentLengthOrNull(req) : whole;
}

function readSignedUpload(
  services: FileShareEndpointServices,
  req: IncomingMessage,
  { below }: EndpointTarget,
): SignedUpload {
  const claims = verifyClaims(services, req);
  const path = parseSignedPath(below);
  const matchesPath =
    typeof path !== 'string' && path.bytes.equals(Buffer.from(`${claims.slot}/${claims.filename}`));
  if (!matchesPath) throw new Refusal('signature_wrong', { text: 'The upload token is for another link.' });
  const jid = parseBareJid(claims.sub);
  if (jid === undefined)
    throw new Refusal('signature_wrong', {
      text: `The upload token names no user. ${describeInvalidJid(claims.sub)}`,
    });
  return {
    locator: signedLocator('file_share', path),
    uploader: { jid },
    name: path.name,
    size: claims.filesize,
    type: parseMediaType(claims.filetype) ?? UNKNOWN_TYPE,
    maxFileSize: null,
    maxTotalSize: null,
    maxFiles: null,
    deadline: claims.exp,
    repeatForMs: null,
    expiresAt: claims.expires,
  };
}

function verifyClaims(
  { settings, clock }: FileShareEndpointServices,
  req: IncomingMessage,
): UploadTokenClaims {
  const token = parseBearerToken(req.headers.authorization);
  if (token === undefined)
    throw new Refusal('unauthorized', {
      text: 'The upload token is missing. The client has to send the Authorization header of its slot.',
    });
  const claims = verifyUploadToken(token, settings().secrets, clock());
  if (claims === 'malformed') throw new Refusal('unauthorized', { text: 'The bearer token is malformed.' });
  if (claims === 'invalid')
    throw new Refusal('signature_wrong', { text: 'The upload token is not valid on this server.' });
  if (claims === 'expired') {
    const jid = parseBareJid(subjectOfToken(token));
    throw new Refusal('slot_unknown', jid === undefined ? {} : { owner: jid });
  }
  return claims;
}
