import { describeInvalidJid, parseBareJid } from '../../base/jid.ts';
import type { AdHocContext, AdHocReply, AdHocStage, AdHocStep } from './ad-hoc-command.ts';

interface UserQuestion {
  readonly title: string;
  readonly execute: AdHocStage['execute'];
  readonly problem?: string;
}

/** Asks for the JID of a user, again if it is not valid. `then` gets the bare JID, normalized. */
export function askForUser(
  question: UserQuestion,
  then: (context: AdHocContext, jid: string) => Promise<AdHocReply>,
): AdHocStage {
  const { title, execute, problem } = question;
  const step: AdHocStep = async (context, answers) => {
    const text = answers.get('user')?.[0]?.trim() ?? '';
    const jid = parseBareJid(text);
    if (jid !== undefined) return then(context, jid);
    const reason = text === '' ? 'Enter the JID of a user.' : describeInvalidJid(text);
    return askForUser({ ...question, problem: reason }, then);
  };
  return {
    status: 'executing',
    text: { title, instructions: 'The JID of the user, such as romeo@example.org.' },
    fields: [{ name: 'user', type: 'jid-single', label: 'User', required: true }],
    problem,
    actions: { [execute]: step },
    execute,
  };
}
