/** The permissions of an account. Each role has all permissions of the roles before it. */
const ROLES = ['user', 'moderator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** The accounts with a role in the config, as normalized bare JIDs. */
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
