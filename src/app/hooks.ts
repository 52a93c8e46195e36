import type { FastifyPluginAsync } from 'fastify';
import type { Config } from '../config/load.ts';
import { hookDoor } from '../http/hooks.ts';
import type { AddressMatcher } from '../http/peer.ts';
import { compileHooks } from '../messages/hooks/hook.ts';
import { createImages } from '../messages/hooks/images.ts';
import { createRepeats } from '../messages/hooks/repeats.ts';
import type { SendDeps } from '../messages/send.ts';
import type { House } from './house.ts';
import { oncePer } from './messages.ts';

/** `hooks/` below `/msg/`; a reload may bring the first of them. */
export function hookDoorsOf(
  { messages }: Config,
  posting: SendDeps | undefined,
  current: House['current'],
  trustedProxies: () => AddressMatcher,
): FastifyPluginAsync[] {
  if (messages === null || posting === undefined) return [];
  const hooks = oncePer(compileHooks);
  const door = {
    ...posting,
    images: createImages(),
    repeats: createRepeats(posting.clock),
    door: () => ({ trustedProxies: trustedProxies(), idleTimeout: current().data.idleTimeout }),
    hooks: () => hooks(current().config.messages?.hooks ?? messages.hooks),
  };
  return [hookDoor(door, messages.path)];
}
