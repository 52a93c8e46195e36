import type { IncomingMessage } from 'node:http';
import { Refusal } from '../../base/errors.ts';
import { parseBareJid } from '../../base/jid.ts';
import { parseMediaType, UNKNOWN_TYPE } from '../../policy/media-type.ts';
import { parseSignedPath, signedLocator } from '../../policy/signed-path.ts';
import { locatorForSubpath } from '../../uploads/old-links.ts';
import type { UploadServices } from '../../uploads/services.ts';
import type { SignedUpload } from '../../uploads/upload-request.ts';
import { parseBearerToken } from '../common/authorization.ts';
import {
  contentLengthOrNull,
  contentTypeOrNull,
  type EndpointTarget,
  type FileEndpoint,
} from '../files/file-endpoint.ts';
import { type UploadTokenClaims, verifyUploadToken } from './upload-token.ts';

/** What a reload may change. */
export interface FileShareEndpointSettings {
  /** All are accepted. */
  readonly secrets: readonly string[];
}

export interface FileShareEndpointServices extends Pick<UploadServices, 'clock'> {
  readonly settings: () => FileShareEndpointSettings;
}

/**
 * Door 4: uploads with a token (JWT) of Prosody's mod_http_file_share, which knows the user: access rules and
 * quotas hold. `path` is `file_share.path`.
 */
export function fileShareEndpoint(deps: FileShareEndpointServices, path: string): FileEndpoint {
  return {
    path,
    name: 'file_share',
    locate: (below) => locatorForSubpath('file_share', below),
    readPut(req, target) {
      const signed = readUpload(deps, req, target);
      const { locator } = signed;
      return {
        by: { locator },
        endpoint: 'file_share',
        size: contentLengthOrNull(req),
        type: contentTypeOrNull(req),
        signed,
      };
    },
  };
}

function readUpload(
  deps: FileShareEndpointServices,
  req: IncomingMessage,
  { below }: EndpointTarget,
): SignedUpload {
  const claims = readClaims(deps, req);
  const path = parseSignedPath(below);
  const isIts =
    typeof path !== 'string' && path.bytes.equals(Buffer.from(`${claims.slot}/${claims.filename}`));
  if (!isIts) throw new Refusal('signature_wrong', { text: 'The upload token is for another link.' });
  const jid = parseBareJid(claims.sub);
  if (jid === undefined) throw new Refusal('signature_wrong', { text: 'The upload token names no JID.' });
  return {
    locator: signedLocator('file_share', path),
    uploader: { jid },
    name: path.name,
    size: claims.filesize,
    type: parseMediaType(claims.filetype) ?? UNKNOWN_TYPE,
    maxFileSize: null,
    maxTotalSize: null,
    deadline: claims.exp,
    repeatForMs: null,
    expiresAt: claims.expires,
  };
}

function readClaims({ settings, clock }: FileShareEndpointServices, req: IncomingMessage): UploadTokenClaims {
  const token = parseBearerToken(req.headers.authorization);
  if (token === undefined) throw new Refusal('unauthorized', { text: 'An upload needs a bearer token.' });
  const claims = verifyUploadToken(token, settings().secrets, clock());
  if (claims === 'malformed') throw new Refusal('unauthorized', { text: 'The bearer token is malformed.' });
  if (claims === 'invalid')
    throw new Refusal('signature_wrong', { text: 'The upload token is not valid here.' });
  if (claims === 'expired') throw new Refusal('slot_unknown');
  return claims;
}
