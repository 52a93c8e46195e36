import type { TestContext } from 'node:test';
import { messageEndpoint } from '../../../src/http/messages/message-endpoint.ts';
import { webhookEndpoint } from '../../../src/http/webhooks/webhook-endpoint.ts';
import { compileHooks, type HookRule } from '../../../src/messages/hooks/handle-hook.ts';
import { createHookCallLog } from '../../../src/messages/hooks/hook-call-log.ts';
import { createImageFetcher } from '../../../src/messages/hooks/image-fetcher.ts';
import { createPartialDeliveries } from '../../../src/messages/hooks/partial-deliveries.ts';
import { serveEndpoints } from '../../support/serve-endpoints.ts';
import { startTestMessageServer } from '../../support/test-message-server.ts';

/** The token of the hook `room`. */
export const TOKEN = 'a-hook-of-some-length';
export const PATH = `/msg/hooks/${TOKEN}`;
export const OPS = 'ops@conference.example.org';
export const JSON_TYPE = { 'Content-Type': 'application/json' };

/** A hook that writes to the room `OPS`. */
export const room: HookRule = {
  name: 'alerts',
  token: TOKEN,
  from: 'alerts@upload.example.org',
  messages_per: null,
  queue: false,
  to: [OPS],
  type: 'groupchat',
  nick: 'Alerts',
  room_password: 'sesame',
  format: 'auto',
  resolved: 'show',
  template: null,
  fields: { title: null, text: null, link: null, image: null, username: null },
  signature_secret: null,
  override: { to: [], username: true },
  images_from: [],
  max_image_size: 1000,
};

/** Starts a server with hooks. Each differs from `room` by the given settings. */
export async function openHooks(t: TestContext, ...rules: readonly Partial<HookRule>[]) {
  const server = await startTestMessageServer(t);
  const compiled = compileHooks(rules.map((rule) => ({ ...room, ...rule })));
  const endpoint = {
    ...server.endpointDeps,
    imageFetcher: createImageFetcher(),
    partialDeliveries: createPartialDeliveries(server.services.clock),
    hooks: () => compiled,
    calls: createHookCallLog(server.services),
  };
  const { request } = await serveEndpoints(t, endpoint, [
    messageEndpoint(endpoint, '/msg/'),
    webhookEndpoint(endpoint, '/msg/'),
  ]);
  const ask = (
    path: string,
    body: string | Buffer | object,
    headers: Record<string, string> = {},
    method = 'POST',
  ) => {
    const isJson = !(typeof body === 'string' || body instanceof Buffer);
    const bytes = isJson ? JSON.stringify(body) : body;
    const type: Record<string, string> = isJson ? JSON_TYPE : {};
    return request(path, { method, headers: { ...type, ...headers }, body: bytes });
  };
  const bodies = () => server.delivered.map(({ message }) => message.getChild('body')?.getText());
  const recipients = () => server.delivered.map(({ message }) => message.attrs.to);
  return { ...server, ask, bodies, recipients };
}
