import { Refusal } from '../base/errors.ts';
import { putKeyOf } from '../base/ids.ts';
import { GET_PREFIX, idBelow, PUT_PREFIX } from '../uploads/links.ts';
import { declaredLength, declaredType, type FileDoor } from './file-door.ts';

/** Where slots of ours are filled: found by the token in the path. */
const putDoor: FileDoor = {
  path: PUT_PREFIX,
  admit(req, { below }) {
    const token = idBelow(below);
    if (token === undefined) throw new Refusal('slot_unknown');
    const size = declaredLength(req);
    return { by: { putKey: putKeyOf(token) }, door: 'slot_api', size, type: declaredType(req) };
  },
};

/** Where their files are fetched. */
const getDoor: FileDoor = { path: GET_PREFIX, locate: idBelow };

export const slotDoors: readonly FileDoor[] = [getDoor, putDoor];
