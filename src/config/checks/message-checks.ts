import { isLoopbackHost } from '../../base/addresses.ts';
import type { ConfigOptions } from '../schema/config-schema.ts';
import type { Complain } from './complain.ts';

/** Checks the message options against each other and against the components. */
export function checkMessageOptions({ messages, component }: ConfigOptions, complain: Complain): void {
  if (messages === null) return;
  const domains = component.map(({ jid }) => jid);
  for (const list of ['tokens', 'hooks'] as const) {
    messages[list].forEach(({ from }, index) => {
      const domain = from.slice(from.indexOf('@') + 1);
      if (domains.includes(domain)) return;
      complain(
        `messages.${list}[${index}].from`,
        `must be at a component of this Porter: ${domain} is not in \`component\``,
      );
    });
  }
  checkTokens(messages, complain);
  checkHooks(messages.hooks, complain);
  checkTls(messages, complain);
}

type Messages = NonNullable<ConfigOptions['messages']>;

function checkTokens({ tokens, hooks }: Messages, complain: Complain): void {
  for (const [list, entries] of Object.entries({ tokens, hooks })) {
    entries.forEach(({ token }, index) => {
      if (!/^sha256:/i.test(token) || /^sha256:[0-9a-f]{64}$/i.test(token)) return;
      complain(`messages.${list}[${index}].token`, 'expected 64 hex digits after sha256:');
    });
  }
  tokens.forEach(({ token }, index) => {
    if (tokens.slice(0, index).some((other) => other.token === token))
      complain(`messages.tokens[${index}].token`, 'another entry has this token too');
  });
}

/** Checks that passwords are sent without TLS only to a server on this machine. */
function checkTls({ require_tls, server }: Messages, complain: Complain): void {
  if (require_tls || (server !== null && isLoopbackHost(server.host))) return;
  complain(
    'messages.require_tls',
    'can be false only with a `server` on this machine, such as 127.0.0.1:5222',
  );
}

function checkHooks(hooks: Messages['hooks'], complain: Complain): void {
  hooks.forEach((hook, index) => {
    const earlier = hooks.slice(0, index);
    const at = (key: string) => `messages.hooks[${index}].${key}`;
    if (earlier.some(({ name }) => name === hook.name))
      complain(at('name'), `another hook has the name ${hook.name} too`);
    if (earlier.some(({ token }) => token === hook.token))
      complain(at('token'), 'another hook has this token too');
    if (hook.type === 'groupchat') return;
    if (hook.nick !== null) complain(at('nick'), 'only rooms use it; add type: groupchat or remove it');
    if (hook.room_password !== null)
      complain(at('room_password'), 'only rooms use it; add type: groupchat or remove it');
  });
}
