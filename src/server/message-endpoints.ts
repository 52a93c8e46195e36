import type { FastifyPluginAsync } from 'fastify';
import { messageEndpoint } from '../http/messages/message-endpoint.ts';
import { shareEndpoint, withSharedLinks } from '../http/messages/share-endpoint.ts';
import { restEndpoint } from '../http/rest/rest-endpoint.ts';
import { webhookEndpoint } from '../http/webhooks/webhook-endpoint.ts';
import type { MessageServices } from '../messages/message-services.ts';
import { createRoomNicks } from '../messages/rest/room-nicks.ts';
import type { OldLinks } from '../uploads/old-links.ts';
import { createLoginThrottle } from '../xmpp/client/login-throttle.ts';
import { createHookServices, type ServerHooks } from './hooks.ts';
import type { Runtime } from './runtime.ts';

/** The endpoints of the section `messages`. Only a config with this section loads this module. */
export interface MessageEndpoints {
  readonly endpoints: readonly FastifyPluginAsync[];
  readonly hooks: ServerHooks;
  /** Adds the links of shared files to those of imported services. */
  withSharedLinks(links: OldLinks): OldLinks;
}

/** Creates `/msg/`, its `hooks/`, `/share/` and `/rest`. `hooks/` exists also without hooks, because a reload may add the first one. */
export function createMessageEndpoints(
  { config: { messages }, services, settings }: Runtime,
  messageServices: MessageServices,
): MessageEndpoints {
  if (messages === null) throw new Error('The config has no messages section.');
  const hooks = createHookServices({ messages }, messageServices, settings);
  const requestSettings = () => ({
    trustedProxies: settings().slots.trustedProxies,
    idleTimeoutMs: settings().data.idleTimeoutMs,
    totalTimeoutMs: settings().data.totalTimeoutMs,
  });
  const restServices = {
    ...messageServices,
    roomNicks: createRoomNicks(),
    secretGuard: createLoginThrottle(messageServices.clock),
    trustedProxies: () => settings().slots.trustedProxies,
  };
  return {
    endpoints: [
      messageEndpoint({ ...messageServices, settings: requestSettings }, messages.path),
      shareEndpoint({ ...messageServices, settings: requestSettings }, messages.share_path),
      webhookEndpoint({ ...hooks, settings: requestSettings }, messages.path),
      restEndpoint(restServices, messages.rest_path),
    ],
    hooks,
    withSharedLinks: (links) => withSharedLinks(links, services, messages.share_path),
  };
}
