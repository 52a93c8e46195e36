import type { FastifyPluginAsync } from 'fastify';
import type { Config } from '../config/load.ts';
import type { AddressMatcher } from '../http/peer.ts';
import { restDoor } from '../http/rest/rest.ts';
import type { MessageDeps } from '../messages/deps.ts';
import { createJoins } from '../messages/rest/joins.ts';
import { createThrottle } from '../xmpp/sessions/throttle.ts';

/** `/rest`, where the config has `messages`. */
export function restOf(
  { messages }: Config,
  deps: MessageDeps | undefined,
  trustedProxies: () => AddressMatcher,
): FastifyPluginAsync[] {
  if (messages === null || deps === undefined) return [];
  return [
    restDoor(
      { ...deps, joins: createJoins(), guard: createThrottle(deps.clock), trustedProxies },
      messages.rest_path,
    ),
  ];
}
