import type { TestContext } from 'node:test';
import xml, { type Element } from '@xmpp/xml';
import type { AdminRules } from '../../src/xmpp/commands/ad-hoc-command.ts';
import { startComponents } from '../../src/xmpp/component/components.ts';
import { FakeComponentServer } from './fake-component-server.ts';
import { withoutAdmins } from './granting-services.ts';
import { DOWNLOAD_URL, iq, JID, PUBLIC_URL, SECRET } from './test-component.ts';
import { openTestServices, type TestServices } from './test-services.ts';

export const COMMANDS = 'http://jabber.org/protocol/commands';
const DATA_FORM = 'jabber:x:data';
const DISCO_INFO = 'http://jabber.org/protocol/disco#info';
const DISCO_ITEMS = 'http://jabber.org/protocol/disco#items';
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas';

/** The answer to one stage of a command, as a client reads it. */
export interface CommandAnswer {
  readonly node: string;
  readonly sessionid: string;
  readonly status: string | undefined;
  /** Allowed actions; the default one first. */
  readonly actions: readonly string[];
  readonly notes: readonly (readonly [type: string | undefined, text: string])[];
  readonly formType: string | undefined;
  readonly instructions: string;
  /** Values of the fields with a name, and the lines of the others. */
  readonly fields: Readonly<Record<string, string>>;
  readonly lines: readonly string[];
  /** Choices of a field, by their labels. */
  readonly options: Readonly<Record<string, string>>;
  readonly table: readonly Readonly<Record<string, string>>[];
}

/** Type, condition and child element of a stanza error, and its text. */
export interface CommandError {
  readonly type: string | undefined;
  readonly condition: string | undefined;
  readonly element: string | undefined;
  readonly text: string;
}

/** One account that runs commands. */
export interface CommandUser {
  nodes(): Promise<string[]>;
  /** Category, type and features of a node. */
  info(node: string): Promise<string[]>;
  start(node: string): Promise<CommandAnswer>;
  /** Sends an action with a submitted form. Without values, sends no form, as Gajim does for `prev`. */
  go(
    before: CommandAnswer,
    action?: string,
    values?: Readonly<Record<string, readonly string[]>>,
  ): Promise<CommandAnswer>;
  /** Sends a `<command/>` that is refused. */
  fail(command: Element | string): Promise<CommandError>;
}

export interface TestCommands extends TestServices {
  as(jid: string): CommandUser;
  setAdmins(change: Partial<AdminRules>): void;
}

/** Starts a component with real stores, whose commands a test runs. */
export async function startTestCommands(
  t: TestContext,
  admins: Partial<AdminRules> = {},
): Promise<TestCommands> {
  let adminRules: AdminRules = { ...withoutAdmins.adminRules(), ...admins };
  const stores = await openTestServices(t);
  const server = await FakeComponentServer.listen({ secret: SECRET });
  const components = startComponents(
    {
      ...stores.services,
      ...withoutAdmins,
      adminRules: () => adminRules,
    },
    [
      {
        jid: JID,
        secret: SECRET,
        server: { host: '127.0.0.1', port: server.port },
        name: 'Files',
        linkBasesFor: () => ({ putBase: PUBLIC_URL, getBase: DOWNLOAD_URL }),
      },
    ],
  );
  t.after(async () => {
    await components.stop();
    await server.stop();
  });
  const stream = await server.nextStream();
  const send = (from: string, type: 'get' | 'set', payload: Element | string) =>
    stream.request(iq(String(payload), { type, from: `${from}/garden` }));
  return {
    ...stores,
    setAdmins(change) {
      adminRules = { ...adminRules, ...change };
    },
    as: (jid) => ({
      async nodes() {
        const answer = await send(jid, 'get', xml('query', { xmlns: DISCO_ITEMS, node: COMMANDS }));
        return children(answer, 'query', 'item').map(({ attrs }) => attrs.node ?? '');
      },
      async info(node) {
        const answer = await send(jid, 'get', xml('query', { xmlns: DISCO_INFO, node }));
        const [identity] = children(answer, 'query', 'identity');
        const features = children(answer, 'query', 'feature').map(({ attrs }) => attrs.var ?? '');
        return [`${identity?.attrs.category}/${identity?.attrs.type}`, ...features];
      },
      start: async (node) =>
        readAnswer(await send(jid, 'set', xml('command', { xmlns: COMMANDS, node, action: 'execute' }))),
      go: async ({ node, sessionid }, action, values) =>
        readAnswer(await send(jid, 'set', commandElement({ node, sessionid, action }, values))),
      fail: async (command) => readError(await send(jid, 'set', command)),
    }),
  };
}

function children(answer: Element, parent: string, name: string): Element[] {
  return answer.getChild(parent)?.getChildren(name) ?? [];
}

export function commandElement(
  {
    node,
    sessionid,
    action,
  }: { readonly node: string; readonly sessionid: string; readonly action?: string | undefined },
  values?: Readonly<Record<string, readonly string[]>>,
): Element {
  const attributes = { xmlns: COMMANDS, node, sessionid, ...(action !== undefined && { action }) };
  const fields = Object.entries(values ?? {}).map(([name, list]) =>
    xml('field', { var: name }, ...list.map((value) => xml('value', {}, value))),
  );
  return xml(
    'command',
    attributes,
    ...(values ? [xml('x', { xmlns: DATA_FORM, type: 'submit' }, ...fields)] : []),
  );
}

function readAnswer(answer: Element): CommandAnswer {
  const command = answer.getChild('command', COMMANDS);
  if (answer.attrs.type !== 'result' || command === undefined) throw new Error(answer.toString());
  const forms = command.getChildren('x', DATA_FORM);
  const [form] = forms;
  const offered = command.getChild('actions');
  const fields = form?.getChildren('field') ?? [];
  const names = offered?.getChildElements().map((action) => action.getName()) ?? [];
  const first = offered?.attrs.execute;
  return {
    node: command.attrs.node ?? '',
    sessionid: command.attrs.sessionid ?? '',
    status: command.attrs.status,
    actions: first === undefined ? names : [first, ...names.filter((name) => name !== first)],
    notes: command.getChildren('note').map((note) => [note.attrs.type, note.getText()]),
    formType: form?.attrs.type,
    instructions: form?.getChild('instructions')?.getText() ?? '',
    fields: Object.fromEntries(fields.map((field) => [field.attrs.var ?? '', textOf(field)])),
    lines: fields.filter(({ attrs }) => attrs.type === 'fixed').map(textOf),
    options: Object.fromEntries(
      fields.flatMap((field) =>
        field.getChildren('option').map((option) => [option.attrs.label ?? '', textOf(option)]),
      ),
    ),
    table: forms.flatMap((one) =>
      one
        .getChildren('item')
        .map((item) =>
          Object.fromEntries(item.getChildren('field').map((field) => [field.attrs.var, textOf(field)])),
        ),
    ),
  };
}

function textOf(field: Element): string {
  return field
    .getChildren('value')
    .map((value) => value.getText())
    .join(', ');
}

function readError(answer: Element): CommandError {
  const error = answer.getChild('error');
  if (error === undefined) throw new Error(`not refused: ${answer}`);
  const elements = error.getChildElements();
  return {
    type: error.attrs.type,
    condition: elements.find((one) => one.getNS() === STANZAS && one.getName() !== 'text')?.getName(),
    element: elements.find((one) => one.getNS() === COMMANDS)?.getName(),
    text: error.getChild('text', STANZAS)?.getText() ?? '',
  };
}
