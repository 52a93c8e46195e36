import type { Settings } from './schema.ts';

type Complain = (key: string, message: string) => void;

/** What the options of messages say together with each other and with the components. */
export function checkMessages({ messages, component }: Settings, complain: Complain): void {
  if (messages === null) return;
  const ours = component.map(({ jid }) => jid);
  for (const list of ['tokens', 'hooks'] as const) {
    messages[list].forEach(({ from }, place) => {
      const domain = from.slice(from.indexOf('@') + 1);
      if (ours.includes(domain)) return;
      complain(
        `messages.${list}[${place}].from`,
        `must be at a component of ours: ${domain} is not in \`component\``,
      );
    });
  }
  checkHooks(messages.hooks, complain);
}

function checkHooks(hooks: NonNullable<Settings['messages']>['hooks'], complain: Complain): void {
  hooks.forEach((hook, place) => {
    const earlier = hooks.slice(0, place);
    const at = (key: string) => `messages.hooks[${place}].${key}`;
    if (earlier.some(({ name }) => name === hook.name))
      complain(at('name'), `two hooks cannot both be ${hook.name}`);
    if (earlier.some(({ token }) => token === hook.token))
      complain(at('token'), 'another hook has this token too');
    if (hook.type === 'groupchat') return;
    if (hook.nick !== null) complain(at('nick'), 'only rooms have a use for it: add type: groupchat');
    if (hook.room_password !== null)
      complain(at('room_password'), 'only rooms have a use for it: add type: groupchat');
  });
}
