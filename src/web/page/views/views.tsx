import type { ComponentType } from 'preact';
import type { PageRoute } from '../lib/route.ts';
import type { Session } from '../lib/session.ts';
import type { Words } from '../words/en.ts';
import { AccountView } from './account.tsx';
import { AllFilesView } from './admin/all-files.tsx';
import { AuditView } from './admin/audit.tsx';
import { ConfigView } from './admin/config.tsx';
import { HooksView } from './admin/hooks.tsx';
import { QuarantineView } from './admin/quarantine.tsx';
import { RefusalsView } from './admin/refusals.tsx';
import { StatusView } from './admin/status.tsx';
import { UserView } from './admin/user.tsx';
import { UsersView } from './admin/users.tsx';
import { WhyView } from './admin/why.tsx';
import { FilesView } from './files.tsx';
import { GuestView } from './guest.tsx';
import { GuestLinksView } from './guest-links.tsx';
import { NotFoundView } from './not-found.tsx';
import { SignInView } from './sign-in.tsx';
import { AllTrashView, TrashView } from './trash.tsx';

interface KnownView {
  readonly name: string;
  readonly title: keyof Words['views'];
  readonly View: ComponentType<{ route: PageRoute }>;
}

const VIEWS: readonly KnownView[] = [
  { name: 'files', title: 'files', View: FilesView },
  { name: 'trash', title: 'trash', View: TrashView },
  { name: 'guest-links', title: 'guestLinks', View: GuestLinksView },
  { name: 'account', title: 'account', View: AccountView },
  { name: 'all-files', title: 'allFiles', View: AllFilesView },
  { name: 'all-trash', title: 'allTrash', View: AllTrashView },
  { name: 'quarantine', title: 'quarantine', View: QuarantineView },
  { name: 'users', title: 'users', View: UsersView },
  { name: 'user', title: 'users', View: UserView },
  { name: 'why', title: 'why', View: WhyView },
  { name: 'refusals', title: 'refusals', View: RefusalsView },
  { name: 'hooks', title: 'hooks', View: HooksView },
  { name: 'status', title: 'status', View: StatusView },
  { name: 'config', title: 'config', View: ConfigView },
  { name: 'audit', title: 'audit', View: AuditView },
];
const SIGN_IN: KnownView = { name: 'sign-in', title: 'signIn', View: SignInView };
const GUEST: KnownView = { name: 'guest', title: 'guest', View: GuestView };
const NOT_FOUND: KnownView = { name: 'not-found', title: 'notFound', View: NotFoundView };

/** Returns the view of an address. Without a session that is the sign-in, except for guests. */
export function viewFor({ view }: PageRoute, session: Session | null): KnownView {
  if (view === GUEST.name) return GUEST;
  if (session === null || view === SIGN_IN.name) return SIGN_IN;
  // The admin token of the config belongs to no account, so it has no files.
  const wanted = view === 'files' && session.jid === null ? 'all-files' : view;
  return VIEWS.find(({ name }) => name === wanted) ?? NOT_FOUND;
}

export function titleOf({ title }: KnownView, words: Words): string {
  return words.views[title];
}
