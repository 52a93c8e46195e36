/** The right to do more than an owner may with its own files. Each role may do everything that the ones before it may. */
const ROLES = ['user', 'moderator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Bare JIDs, normalized as owners are. */
export interface RoleLists {
  readonly admins: readonly string[];
  readonly moderators: readonly string[];
}

/** Returns the role of an account. `owner`: its bare JID, normalized. */
export function listedRole({ admins, moderators }: RoleLists, owner: string): Role {
  if (admins.includes(owner)) return 'admin';
  return moderators.includes(owner) ? 'moderator' : 'user';
}

/** Returns true if a role has all permissions of the role `required`. */
export function includesRole(role: Role, required: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(required);
}
