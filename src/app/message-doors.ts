import type { FastifyPluginAsync } from 'fastify';
import type { Config } from '../config/load.ts';
import { hookDoor } from '../http/hooks.ts';
import { messageDoor } from '../http/messages.ts';
import type { AddressMatcher } from '../http/peer.ts';
import { restDoor } from '../http/rest/rest.ts';
import { compileHooks } from '../messages/hooks/hook.ts';
import { createImages } from '../messages/hooks/images.ts';
import { createRepeats } from '../messages/hooks/repeats.ts';
import { createJoins } from '../messages/rest/joins.ts';
import type { SendDeps } from '../messages/send.ts';
import { createThrottle } from '../xmpp/sessions/throttle.ts';
import type { House } from './house.ts';
import { oncePer } from './messages.ts';

/** `/msg/`, `hooks/` below it, and `/rest`, where the config has `messages`; a reload may bring the first hook. */
export function messageDoorsOf(
  { messages }: Config,
  posting: SendDeps | undefined,
  current: House['current'],
  trustedProxies: () => AddressMatcher,
): FastifyPluginAsync[] {
  if (messages === null || posting === undefined) return [];
  const door = () => ({ trustedProxies: trustedProxies(), idleTimeout: current().data.idleTimeout });
  const compiled = oncePer(compileHooks);
  const hooks = () => compiled(current().config.messages?.hooks ?? messages.hooks);
  const { clock } = posting;
  return [
    messageDoor({ ...posting, door }, messages.path),
    hookDoor(
      { ...posting, door, hooks, images: createImages(), repeats: createRepeats(clock) },
      messages.path,
    ),
    restDoor(
      { ...posting, joins: createJoins(), guard: createThrottle(clock), trustedProxies },
      messages.rest_path,
    ),
  ];
}
