import assert from 'node:assert/strict';
import xml, { type Element } from '@xmpp/xml';
import type { MessageSender } from '../../../src/messages/delivery/message-sender.ts';

const MUC = 'http://jabber.org/protocol/muc';
const OWNER = `${MUC}#owner`;

/** Creates a room whose options have these values (XEP-0045). */
export async function createRoom(
  owner: MessageSender,
  jid: string,
  config: Readonly<Record<string, string>>,
): Promise<void> {
  await owner.sendStanza(xml('presence', { to: `${jid}/owner` }, xml('x', MUC)));
  const form = await owner.sendIq(xml('iq', { type: 'get', to: jid }, xml('query', OWNER)), 30_000);
  assert.equal(form.attrs.type, 'result', form.toString());
  const offered = form.getChild('query', OWNER)?.getChild('x', 'jabber:x:data')?.getChildren('field') ?? [];
  const known = new Set(offered.map(({ attrs }) => attrs.var));
  const wished = Object.entries(config).map(([name, value]) => [fieldName(name, known), value] as const);
  const answer = await owner.sendIq(xml('iq', { type: 'set', to: jid }, submit(wished)), 30_000);
  assert.equal(answer.attrs.type, 'result', answer.toString());
}

/** Returns the server's name for the option that makes new occupants visitors without the right to speak (XEP-0045). */
function fieldName(name: string, known: ReadonlySet<string | undefined>): string {
  if (name !== 'members_by_default') return name;
  const names = [
    'members_by_default',
    'muc#roomconfig_defaultnobody',
    'muc#roomconfig_defaultroomaffiliation',
  ];
  return names.find((one) => known.has(one)) ?? 'muc#roomconfig_moderatedroom';
}

function submit(fields: readonly (readonly [string, string])[]): Element {
  const field = ([name, value]: readonly [string, string]) =>
    xml('field', { var: name }, xml('value', {}, value));
  const all = [['FORM_TYPE', `${MUC}#roomconfig`] as const, ...fields];
  return xml('query', OWNER, xml('x', { xmlns: 'jabber:x:data', type: 'submit' }, ...all.map(field)));
}
