import xml, { type Element } from '@xmpp/xml';
import { maxAgeFor, type Retention } from '../../policy/retention.ts';
import { createInfoForm, type FormField } from '../../stanza/data-form.ts';
import {
  COMMANDS,
  DATA_FORM,
  DATA_POLICY,
  DISCO_INFO,
  DISCO_ITEMS,
  LEGACY_UPLOAD,
  NO_REPLY,
  PING,
  PURPOSE,
  SERVER_INFO,
  UPLOAD,
  VCARD,
  VERSION,
} from '../../stanza/namespaces.ts';
import { announcedMaxSizeFor } from '../../uploads/grant-slot.ts';
import type { IqRequest, IqServices } from './iq-request.ts';

/**
 * Announced if no limit applies, or if the requester may not upload: clients expect the field. It is also the largest limit that
 * the form of the old namespace announces: its clients read a signed 32-bit number, and Psi+ offers no upload above it.
 */
const MAX_INT32 = 2 ** 31 - 1;

const FEATURES = [UPLOAD, LEGACY_UPLOAD, DISCO_INFO, DISCO_ITEMS, COMMANDS, PING, VERSION, VCARD];

/** Answers XEP-0030 §3.1: about the service, about the list of its commands, or about one command. */
export async function discoInfoReply(services: IqServices, request: IqRequest): Promise<Element> {
  const { node } = request.payload.attrs;
  if (node === undefined) return serviceInfo(services, request);
  if (node === COMMANDS) {
    return infoElement({ node }, { category: 'automation', type: 'command-list', name: 'Commands' }, [
      DISCO_ITEMS,
    ]);
  }
  const { name } = await services.adHocRequests.find(request.from, node);
  return infoElement({ node }, { category: 'automation', type: 'command-node', name }, [COMMANDS, DATA_FORM]);
}

/** Announces the upload service, its purposes and the requester's file size limit (XEP-0363 §3). */
function serviceInfo(services: IqServices, { from, to, serviceName }: IqRequest): Element {
  const purposes = Object.keys(services.rules().retention.purposes).map((purpose) => `${PURPOSE}#${purpose}`);
  const size = announcedMaxSizeFor(services, from) ?? MAX_INT32;
  const noReply = services.isNoReply(to) ? [NO_REPLY] : [];
  return infoElement(
    {},
    { category: 'store', type: 'file', name: serviceName },
    [...FEATURES, ...noReply, ...purposes],
    // Some clients read the first form only; clients of the old namespace look for the second.
    [
      uploadForm(UPLOAD, size),
      uploadForm(LEGACY_UPLOAD, Math.min(size, MAX_INT32)),
      createInfoForm(DATA_POLICY, dataPolicyFields(services)),
      ...contactForms(services.adminRules().contacts),
    ],
  );
}

/** Describes an address that sends messages and accepts none (XEP-0506). */
export function noReplyInfo(): Element {
  return infoElement({}, { category: 'client', type: 'bot' }, [DISCO_INFO, NO_REPLY]);
}

/** Answers XEP-0030 §4: the service has no items; its commands are listed under their node (XEP-0050 §2.2). */
export async function discoItemsReply(
  { adHocRequests }: IqServices,
  { payload, from, to }: IqRequest,
): Promise<Element> {
  const { node } = payload.attrs;
  if (node === undefined) return xml('query', DISCO_ITEMS);
  if (node === COMMANDS) {
    const commands = await adHocRequests.list(from);
    const items = commands.map((command) => xml('item', { jid: to, node: command.node, name: command.name }));
    return xml('query', { xmlns: DISCO_ITEMS, node }, ...items);
  }
  await adHocRequests.find(from, node);
  return xml('query', { xmlns: DISCO_ITEMS, node });
}

function infoElement(
  attributes: { readonly node?: string },
  identity: Readonly<Record<string, string>>,
  features: readonly string[],
  forms: readonly Element[] = [],
): Element {
  return xml(
    'query',
    { xmlns: DISCO_INFO, ...attributes },
    xml('identity', identity),
    ...features.map((feature) => xml('feature', { var: feature })),
    ...forms,
  );
}

function uploadForm(xmlns: string, maxFileSize: number): Element {
  return createInfoForm(xmlns, [{ name: 'max-file-size', values: [String(maxFileSize)] }]);
}

/** XEP-0157. */
function contactForms(contacts: readonly string[]): Element[] {
  const field: FormField = { name: 'abuse-addresses', type: 'list-multi', values: contacts };
  return contacts.length === 0 ? [] : [createInfoForm(SERVER_INFO, [field])];
}

const HOUR_MS = 3_600_000;

/** Describes to users what happens to their files (XEP-0504 §3). Facts that only the admin knows are left out. */
function dataPolicyFields({ rules, adminRules }: Pick<IqServices, 'rules' | 'adminRules'>): FormField[] {
  const { moderators } = adminRules();
  return [
    { name: 'data_retention', type: 'text-single', values: [longestRetention(rules().retention)] },
    // By a command (XEP-0050). The record of a deleted file has its name and owner, so it is not a full erasure.
    { name: 'data_deletion', type: 'boolean', values: ['true'] },
    { name: 'data_export', type: 'boolean', values: ['false'] },
    { name: 'full_erasure', type: 'boolean', values: ['false'] },
    {
      name: 'access_policy',
      type: 'list-multi',
      values: ['admins', ...(moderators.length > 0 ? ['moderators'] : [])],
    },
    {
      name: 'extra_info',
      type: 'text-multi',
      values: ['Whoever has the link of a file can fetch it until the file expires or is deleted.'],
    },
  ];
}

/** Returns for how many hours files are kept at most, over all purposes that users may choose. */
function longestRetention(retention: Retention): string {
  const ages = ['', ...Object.keys(retention.purposes)].map((purpose) => maxAgeFor(retention, purpose));
  const longest = ages.reduce((a, b) => (a === null || b === null ? null : Math.max(a, b)), 0);
  return longest === null ? 'infinite' : String(Math.ceil(longest / HOUR_MS));
}
