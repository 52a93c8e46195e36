import type { Element } from '@xmpp/xml';
import type { Role, RoleLists } from '../../policy/roles.ts';
import type { FormAnswers, FormField, FormText } from '../../stanza/data-form.ts';
import type { UploadServices } from '../../uploads/services.ts';

type UsedUploadServices = Pick<
  UploadServices,
  'ledger' | 'blobs' | 'fileCache' | 'rules' | 'clock' | 'log' | 'metrics' | 'spaceReserve'
>;

/** The options of the sections `web` and `retention` that commands and service discovery use. A reload replaces them. */
export interface AdminRules extends RoleLists {
  /** URIs at which users report abuse. */
  readonly contacts: readonly string[];
  /** `retention.keep_records`, ms; null = never deleted. */
  readonly keepRecords: number | null;
}

/** The services of commands, which call the same use cases as the command line. */
export type AdHocServices = UsedUploadServices & {
  readonly adminRules: () => AdminRules;
};

export interface AdHocContext {
  readonly services: AdHocServices;
  /** The bare JID of the requester, as the server has confirmed it, normalized. */
  readonly requester: string;
  /** Returns the base URL of an owner's GET links at the component that was asked, without a trailing slash. */
  readonly downloadUrlFor: (owner: string) => string;
}

/** One stage of a command: gets the answers to the form of the stage before it. */
export type AdHocStep = (context: AdHocContext, answers: FormAnswers) => Promise<AdHocReply>;

/** A command that a client lists and runs (XEP-0050). */
export interface AdHocCommand {
  readonly node: string;
  /** Shown in the list of commands. */
  readonly name: string;
  /** The least role that may run it. */
  readonly role: Role;
  readonly start: (context: AdHocContext) => Promise<AdHocReply>;
}

export type AdHocReply = AdHocStage | AdHocResult;

/** A form to fill in, and the steps that follow. */
export interface AdHocStage {
  readonly status: 'executing';
  readonly text: FormText;
  readonly fields: readonly FormField[];
  /** The fields once more as a table, for programs. */
  readonly table?: Element;
  /** Why the form is shown again. */
  readonly problem?: string | undefined;
  readonly actions: AdHocActions;
  /** The action of clients that offer only one button. It is one of `actions`. */
  readonly execute: 'next' | 'complete';
}

export type AdHocActions = Readonly<Partial<Record<'prev' | 'next' | 'complete', AdHocStep>>>;

/** The end of a command. */
export interface AdHocResult {
  readonly status: 'completed';
  readonly notes: readonly AdHocNote[];
  readonly form?: { readonly text: FormText; readonly fields: readonly FormField[] };
  readonly table?: Element;
}

/** Many clients show nothing but the notes of a completed command. */
export interface AdHocNote {
  readonly type: 'info' | 'warn' | 'error';
  readonly text: string;
}

/** Returns a result that is only a sentence. */
export function completed(text: string, type: AdHocNote['type'] = 'info'): AdHocResult {
  return { status: 'completed', notes: [{ type, text }] };
}
