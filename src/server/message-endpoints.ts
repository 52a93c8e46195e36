import type { FastifyPluginAsync } from 'fastify';
import { memoizeLast } from '../base/async.ts';
import type { Config } from '../config/load.ts';
import type { AddressMatcher } from '../http/common/client-info.ts';
import { messageEndpoint } from '../http/messages/message-endpoint.ts';
import { restEndpoint } from '../http/rest/rest-endpoint.ts';
import { webhookEndpoint } from '../http/webhooks/webhook-endpoint.ts';
import { compileHooks } from '../messages/hooks/handle-hook.ts';
import { createImageFetcher } from '../messages/hooks/image-fetcher.ts';
import { createPartialDeliveries } from '../messages/hooks/partial-deliveries.ts';
import type { MessageServices } from '../messages/message-services.ts';
import { createRoomNicks } from '../messages/rest/room-nicks.ts';
import { createLoginThrottle } from '../xmpp/client/login-throttle.ts';
import type { Runtime } from './runtime.ts';

/** `/msg/`, `hooks/` below it, and `/rest`, where the config has `messages`; a reload may bring the first hook. */
export function createMessageEndpoints(
  { messages }: Config,
  posting: MessageServices | undefined,
  current: Runtime['settings'],
  trustedProxies: () => AddressMatcher,
): FastifyPluginAsync[] {
  if (messages === null || posting === undefined) return [];
  const settings = () => ({ trustedProxies: trustedProxies(), idleTimeoutMs: current().data.idleTimeoutMs });
  const compiled = memoizeLast(compileHooks);
  const hooks = () => compiled(current().config.messages?.hooks ?? messages.hooks);
  const { clock } = posting;
  return [
    messageEndpoint({ ...posting, settings }, messages.path),
    webhookEndpoint(
      {
        ...posting,
        settings,
        hooks,
        imageFetcher: createImageFetcher(),
        partialDeliveries: createPartialDeliveries(clock),
      },
      messages.path,
    ),
    restEndpoint(
      { ...posting, roomNicks: createRoomNicks(), secretGuard: createLoginThrottle(clock), trustedProxies },
      messages.rest_path,
    ),
  ];
}
