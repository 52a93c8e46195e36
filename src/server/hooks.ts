import { memoizeLast } from '../base/async.ts';
import type { Config } from '../config/load.ts';
import { compileHooks, type HookRegistry, type HookServices } from '../messages/hooks/handle-hook.ts';
import { createHookCallLog, type HookCallLog } from '../messages/hooks/hook-call-log.ts';
import { createImageFetcher } from '../messages/hooks/image-fetcher.ts';
import { createPartialDeliveries } from '../messages/hooks/partial-deliveries.ts';
import type { MessageServices } from '../messages/message-services.ts';
import type { Runtime } from './runtime.ts';

/** The hooks of the config with their services. */
export type ServerHooks = HookServices & {
  /** Returns the current hooks. A reload may change them. */
  readonly hooks: () => HookRegistry;
  readonly calls: HookCallLog;
};

export function createHookServices(
  { messages }: Pick<Config, 'messages'>,
  messageServices: MessageServices,
  settings: Runtime['settings'],
): ServerHooks {
  const compiled = memoizeLast(compileHooks);
  const initial = messages?.hooks ?? [];
  return {
    ...messageServices,
    hooks: () => compiled(settings().config.messages?.hooks ?? initial),
    calls: createHookCallLog(messageServices),
    imageFetcher: createImageFetcher(),
    partialDeliveries: createPartialDeliveries(messageServices.clock),
  };
}
