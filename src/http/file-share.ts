import type { IncomingMessage } from 'node:http';
import { Refusal } from '../base/errors.ts';
import { bareJid } from '../base/jid.ts';
import { readMediaType, UNKNOWN_TYPE } from '../policy/media-type.ts';
import { readSignedPath, signedLocator } from '../policy/signed-path.ts';
import type { UploadDeps } from '../uploads/deps.ts';
import { locatorBelow } from '../uploads/old-links.ts';
import type { SignedUpload } from '../uploads/signed.ts';
import { bearerOf } from './authorization.ts';
import { declaredType, type FileDoor, lengthIfKnown, type Target } from './file-door.ts';
import { readSlotToken, type SlotClaims } from './slot-token.ts';

/** What a reload may change. */
export interface FileShareSettings {
  /** All are accepted. */
  readonly secrets: readonly string[];
}

export interface FileShareDeps extends Pick<UploadDeps, 'clock'> {
  readonly fileShare: () => FileShareSettings;
}

/**
 * Door 4: uploads with a token (JWT) of Prosody's mod_http_file_share, which knows the user: access rules and
 * quotas hold. `path` is `file_share.path`.
 */
export function fileShareDoor(deps: FileShareDeps, path: string): FileDoor {
  return {
    path,
    statuses: 'file_share',
    locate: (below) => locatorBelow('file_share', below),
    admit(req, target) {
      const signed = readUpload(deps, req, target);
      const { locator } = signed;
      return {
        by: { locator },
        door: 'file_share',
        size: lengthIfKnown(req),
        type: declaredType(req),
        signed,
      };
    },
  };
}

function readUpload(deps: FileShareDeps, req: IncomingMessage, { below }: Target): SignedUpload {
  const claims = readClaims(deps, req);
  const path = readSignedPath(below);
  const isIts =
    typeof path !== 'string' && path.bytes.equals(Buffer.from(`${claims.slot}/${claims.filename}`));
  if (!isIts) throw new Refusal('signature_wrong', { text: 'The upload token is for another link.' });
  const jid = bareJid(claims.sub);
  if (jid === undefined) throw new Refusal('signature_wrong', { text: 'The upload token names no JID.' });
  return {
    locator: signedLocator('file_share', path),
    uploader: { jid },
    name: path.name,
    size: claims.filesize,
    type: readMediaType(claims.filetype) ?? UNKNOWN_TYPE,
    maxFileSize: null,
    maxTotalSize: null,
    deadline: claims.exp,
    repeatFor: null,
    expiresAt: claims.expires,
  };
}

function readClaims({ fileShare, clock }: FileShareDeps, req: IncomingMessage): SlotClaims {
  const token = bearerOf(req.headers.authorization);
  if (token === undefined) throw new Refusal('unauthorized', { text: 'An upload needs a bearer token.' });
  const claims = readSlotToken(token, fileShare().secrets, clock());
  if (claims === 'malformed') throw new Refusal('unauthorized', { text: 'The bearer token is malformed.' });
  if (claims === 'invalid')
    throw new Refusal('signature_wrong', { text: 'The upload token is not valid here.' });
  if (claims === 'expired') throw new Refusal('slot_unknown');
  return claims;
}
