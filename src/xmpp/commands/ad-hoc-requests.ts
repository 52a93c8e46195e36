import xml, { type Element } from '@xmpp/xml';
import { createSharedLimit } from '../../base/concurrency-limit.ts';
import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import { includesRole, listedRole } from '../../policy/roles.ts';
import { createForm, type FormAnswers, readSubmittedForm } from '../../stanza/data-form.ts';
import { COMMANDS, DATA_FORM } from '../../stanza/namespaces.ts';
import { toXmlText } from '../../stanza/xml-text.ts';
import { requireOwner } from '../../uploads/grant-slot.ts';
import { readUsage } from '../../uploads/list.ts';
import type { AdHocCommand, AdHocContext, AdHocNote, AdHocReply, AdHocServices } from './ad-hoc-command.ts';
import { adHocCommands } from './registry.ts';
import { type AdHocSessions, createAdHocSessions, isSessionId } from './sessions.ts';

/** The commands of a component, for all of its streams. */
export interface AdHocRequests {
  /** Returns the commands that this JID may run. */
  list(from: string): Promise<readonly AdHocCommand[]>;
  /** Returns the command of a node that this JID may run. Throws a `Refusal` if there is none. */
  find(from: string, node: string): Promise<AdHocCommand>;
  /**
   * Runs one stage of a command. Returns the answer to its `<command/>`. Throws a `Refusal` if it fails. `downloadUrlFor`: the GET
   * links of the component that was asked.
   */
  run(from: string, command: Element, downloadUrlFor: AdHocContext['downloadUrlFor']): Promise<Element>;
}

/** Stages that may run at the same time, and those of one account. */
const MAX_RUNNING = 100;
const MAX_RUNNING_PER_OWNER = 4;

const ACTIONS = ['execute', 'prev', 'next', 'complete', 'cancel'] as const;
type Action = (typeof ACTIONS)[number];

/**
 * Answers the requests of XEP-0050. A command is a chain of steps: a stage names the steps that may follow it, and its session
 * keeps them until the client chooses one.
 *
 * ```
 *   execute ──▶ stage ──▶ next, prev, complete ──▶ stage … ──▶ completed
 *                  └──▶ cancel ──▶ canceled
 * ```
 */
export function createAdHocRequests(services: AdHocServices): AdHocRequests {
  const sessions = createAdHocSessions(services.clock);
  const limit = createSharedLimit(MAX_RUNNING, MAX_RUNNING_PER_OWNER);
  return {
    list: (from) => listCommands(services, requireOwner(from)),
    find: (from, node) => findCommand(services, requireOwner(from), node),
    async run(from, element, downloadUrlFor) {
      const requester = requireOwner(from);
      return await limit([requester], () =>
        runStage({ services, requester, downloadUrlFor }, sessions, element),
      );
    },
  };
}

async function listCommands(services: AdHocServices, owner: string): Promise<readonly AdHocCommand[]> {
  const role = listedRole(services.adminRules(), owner);
  if (role === 'user' && !(await hasFilesOrMayUpload(services, owner))) return [];
  return adHocCommands.filter((command) => includesRole(role, command.role));
}

/** Returns whether this user may see commands. Strangers from other servers see none. */
async function hasFilesOrMayUpload(services: AdHocServices, owner: string): Promise<boolean> {
  if (services.rules().access.decide(owner).allowed) return true;
  return (await readUsage(services, owner)).uploads > 0;
}

async function findCommand(services: AdHocServices, owner: string, node: string): Promise<AdHocCommand> {
  const command = adHocCommands.find((one) => one.node === node);
  if (command === undefined) throw new Refusal('not_found', { text: `There is no command "${node}".` });
  if (!(await listCommands(services, owner)).includes(command)) throw new Refusal('command_denied');
  return command;
}

async function runStage(context: AdHocContext, sessions: AdHocSessions, element: Element): Promise<Element> {
  const { services, requester } = context;
  const { node = '', sessionid } = element.attrs;
  // Checked at every stage, because a reload may have taken the role away.
  const command = await findCommand(services, requester, node);
  const action = readAction(element);
  if (sessionid === undefined) {
    if (action !== 'execute') throw new Refusal('command_action_wrong', { text: START_FIRST });
    return keepStage(await command.start(context), { sessions, requester, node });
  }
  const session = sessions.take(requester, sessionid);
  if (session === undefined) {
    throw new Refusal(isSessionId(sessionid) ? 'command_session_expired' : 'command_session_unknown');
  }
  const keep = () => sessions.keep(requester, session, sessionid);
  if (session.node !== node) {
    keep();
    throw new Refusal('command_session_unknown');
  }
  if (action === 'cancel') return replyElement(node, sessionid, 'canceled');
  try {
    const step = session.actions[action === 'execute' ? session.execute : action];
    if (step === undefined) throw wrongAction(Object.keys(session.actions));
    const reply = await step(context, readAnswers(element));
    return keepStage(reply, { sessions, requester, node, sessionid });
  } catch (error) {
    // The user may try again, or choose another action.
    keep();
    throw error;
  }
}

const START_FIRST = 'Without a session id, the only action is execute, which starts the command.';

function readAction(element: Element): Action {
  const { action: given = 'execute' } = element.attrs;
  const action = ACTIONS.find((one) => one === given);
  if (action === undefined) throw new Refusal('command_action_malformed');
  return action;
}

function wrongAction(offered: readonly string[]): Refusal {
  return new Refusal('command_action_wrong', {
    text: `The command offers only these actions now: ${[...offered, 'cancel'].join(', ')}.`,
  });
}

/** Returns the answers in the submitted form. There are none without a form, which clients omit for `prev`. */
function readAnswers(element: Element): FormAnswers {
  const form = element.getChild('x', DATA_FORM);
  const answers = form ? readSubmittedForm(form) : new Map();
  if (answers === undefined) throw new Refusal('command_form_wrong');
  return answers;
}

interface StageOwner {
  readonly sessions: AdHocSessions;
  readonly requester: string;
  readonly node: string;
  /** Absent at the first stage. */
  readonly sessionid?: string;
}

/** Keeps the session of a stage, unless the command is completed. Returns the answer. */
function keepStage(reply: AdHocReply, { sessions, requester, node, sessionid }: StageOwner): Element {
  if (reply.status === 'completed') {
    const { form, table, notes } = reply;
    const forms = [
      ...(form ? [createForm('result', form.fields, form.text)] : []),
      ...(table ? [table] : []),
    ];
    return replyElement(node, sessionid ?? randomId(), 'completed', [...forms, ...notes.map(noteElement)]);
  }
  const { actions, execute, fields, table, problem } = reply;
  const id = sessions.keep(requester, { node, actions, execute }, sessionid);
  const text = { ...reply.text, instructions: joinSentences(problem, reply.text.instructions) };
  return replyElement(node, id, 'executing', [
    xml('actions', { execute }, ...Object.keys(actions).map((action) => xml(action))),
    createForm('form', fields, text),
    ...(table ? [table] : []),
    ...(problem === undefined ? [] : [noteElement({ type: 'warn', text: problem })]),
  ]);
}

/** Some clients show the notes of a stage, and others only its first instructions, without line breaks. */
function joinSentences(...texts: readonly (string | undefined)[]): string {
  return texts.filter((text) => text !== undefined).join(' ');
}

function noteElement({ type, text }: AdHocNote): Element {
  return xml('note', { type }, toXmlText(text));
}

function replyElement(
  node: string,
  sessionid: string,
  status: string,
  children: readonly Element[] = [],
): Element {
  return xml('command', { xmlns: COMMANDS, node, sessionid, status, 'xml:lang': 'en' }, ...children);
}
