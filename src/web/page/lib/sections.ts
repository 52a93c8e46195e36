import type { Words } from '../words/en.ts';
import type { Service, Session } from './session.ts';

/** A view with an entry in the navigation. */
export interface Section {
  readonly view: string;
  readonly title: keyof Words['views'];
  /** True if the entry is in the group of the administration. */
  readonly isAdministration: boolean;
}

/** Returns the views that this user may open on this service, in their order. */
export function sectionsFor(service: Service, { role, jid }: Session): readonly Section[] {
  const own = (view: string, title: Section['title']): Section => ({ view, title, isAdministration: false });
  const admin = (view: string, title: Section['title']): Section => ({ view, title, isAdministration: true });
  const hasTrash = service.trashMs > 0;
  return [
    ...(jid === null
      ? []
      : [
          own('files', 'files'),
          ...(hasTrash ? [own('trash', 'trash')] : []),
          ...(service.guestLinks ? [own('guest-links', 'guestLinks')] : []),
          own('account', 'account'),
        ]),
    ...(role === 'user'
      ? []
      : [
          admin('all-files', 'allFiles'),
          ...(hasTrash ? [admin('all-trash', 'allTrash')] : []),
          admin('quarantine', 'quarantine'),
          admin('users', 'users'),
          admin('refusals', 'refusals'),
          admin('why', 'why'),
        ]),
    ...(role === 'admin'
      ? [
          admin('status', 'status'),
          admin('hooks', 'hooks'),
          admin('config', 'config'),
          admin('audit', 'audit'),
        ]
      : []),
  ];
}
