import { memoizeLast } from '../base/async.ts';
import { sha256Hex } from '../base/ids.ts';
import type { Config } from '../config/load.ts';
import { createAccountMatcher } from '../messages/authenticate.ts';
import type { WebServices, WebSettings } from '../web/web-services.ts';
import type { Messaging } from './messaging.ts';
import type { Runtime } from './runtime.ts';

/** Creates the services of the web page. The config must have a section `web`. */
export function createWebServices(
  { config, services, settings }: Runtime,
  { senders }: Pick<Messaging, 'senders'>,
): WebServices {
  const { web: initial } = config;
  if (initial === null) throw new Error('The config has no web section.');
  const toSettings = memoizeLast(
    (current: ReturnType<Runtime['settings']>): WebSettings => ({
      ...toWebSettings(current.config, current.config.web ?? initial),
      trustedProxies: current.slots.trustedProxies,
    }),
  );
  return { ...services, senders, settings: () => toSettings(settings()) };
}

function toWebSettings(config: Config, web: NonNullable<Config['web']>): Omit<WebSettings, 'trustedProxies'> {
  const components = config.component.map(({ jid }) => jid);
  return {
    path: web.path,
    title: web.title,
    contacts: web.contact,
    admins: web.admins,
    moderators: web.moderators,
    adminTokenHash: web.token === null ? null : sha256Hex(web.token),
    signIn: web.sign_in.filter((way) => way !== 'link' || components.length > 0),
    guestLinks: web.guest_links,
    publicUrl: config.public_url,
    downloadUrl: config.download_url,
    linkSenderFor: (account) => {
      const domain = account.slice(account.lastIndexOf('@') + 1);
      return components.find((jid) => jid.endsWith(`.${domain}`)) ?? components[0] ?? null;
    },
    idleTimeoutMs: config.uploads.idle_timeout,
    maySignIn: createAccountMatcher({
      accounts: config.messages?.accounts ?? null,
      access: config.access,
      components,
    }),
  };
}
