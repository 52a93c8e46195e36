import { Refusal } from '../../base/errors.ts';
import { toPutKey } from '../../base/ids.ts';
import { GET_PREFIX, idInSubpath, PUT_PREFIX } from '../../uploads/links.ts';
import { contentTypeOrNull, type FileEndpoint, requiredContentLength } from './file-endpoint.ts';

/** Where slots of ours are filled: found by the token in the path. */
const putDoor: FileEndpoint = {
  path: PUT_PREFIX,
  readPut(req, { below }) {
    const token = idInSubpath(below);
    if (token === undefined) throw new Refusal('slot_unknown');
    const size = requiredContentLength(req);
    return { by: { putKey: toPutKey(token) }, endpoint: 'slot_api', size, type: contentTypeOrNull(req) };
  },
};

/** Where their files are fetched. */
const getDoor: FileEndpoint = { path: GET_PREFIX, locate: idInSubpath };

export const slotFileEndpoints: readonly FileEndpoint[] = [getDoor, putDoor];
