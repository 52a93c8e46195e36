import type { Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';

interface Question {
  /** The id that who asks gave to it. */
  readonly id: string | undefined;
  readonly takes: ((message: Element) => boolean) | undefined;
  readonly resolve: (answer: Element) => void;
  readonly reject: (reason: unknown) => void;
}

/** Questions of one speaker that wait for their answers. */
export interface PendingIqs {
  /** `post` gets the id under which the question leaves. */
  request(
    question: { readonly id: string | undefined; readonly takes?: Question['takes'] },
    timeoutMs: number,
    post: (id: string) => Promise<void>,
  ): Promise<Element>;
  /** Is this iq of type result or error the answer to one of them? */
  handleResponse(iq: Element): boolean;
  /** Does this message belong to one of the answers? */
  handleMessage(message: Element): boolean;
  readonly size: number;
  rejectAll(): void;
}

/** Each question leaves under an id that nobody can guess but who is asked, so whoever knows it may answer. */
export function createPendingIqs(): PendingIqs {
  const questions = new Map<string, Question>();
  return {
    async request({ id, takes }, timeoutMs, post) {
      const isPorter = randomId();
      let timer: NodeJS.Timeout | undefined;
      try {
        return await new Promise<Element>((resolve, reject) => {
          questions.set(isPorter, { id, takes, resolve, reject });
          timer = setTimeout(() => reject(new Refusal('no_answer')), timeoutMs);
          // The answer may come before the server says that it took the question.
          post(isPorter).catch(reject);
        });
      } finally {
        clearTimeout(timer);
        questions.delete(isPorter);
      }
    },
    handleResponse(iq) {
      const question = questions.get(iq.attrs.id ?? '');
      if (question === undefined) return false;
      iq.attrs.id = question.id;
      question.resolve(iq);
      return true;
    },
    handleMessage(message) {
      for (const { takes } of questions.values()) if (takes?.(message)) return true;
      return false;
    },
    get size() {
      return questions.size;
    },
    rejectAll() {
      for (const { reject } of questions.values()) reject(new Refusal('no_answer'));
    },
  };
}
