import * as z from 'zod';
import { defineRoute, named } from '../route.ts';
import { bytes, role, scope, time } from '../schemas.ts';

const sessionSchema = named(
  'Session',
  z.strictObject({
    jid: z.string().nullable().describe('Null for the admin token of the config.'),
    role,
    scopes: z.array(scope),
    csrfToken: z
      .string()
      .nullable()
      .describe('Send it as `X-CSRF-Token` with every POST, PATCH and DELETE. Null for a bearer token.'),
    expiresAt: time.nullable(),
  }),
);

const topic = 'Session';

export const sessionRoutes = {
  getService: defineRoute({
    method: 'GET',
    path: '/service',
    access: 'public',
    topic,
    summary: 'Returns the title of the service and the ways to sign in.',
    status: 200,
    answer: named(
      'Service',
      z.strictObject({
        title: z.string(),
        contacts: z.array(z.string()).describe('URIs at which users report abuse.'),
        signIn: z.array(z.enum(['password', 'link'])),
        guestLinks: z.boolean(),
        thumbnails: z.boolean(),
        trashMs: z
          .number()
          .describe('Milliseconds for which removed files can be restored; 0 = there is no trash.'),
        maxRequestedIds: z.int().describe('Files that one request may name.'),
      }),
    ),
  }),
  getSession: defineRoute({
    method: 'GET',
    path: '/session',
    access: 'public',
    topic,
    summary: 'Returns the user of the cookie or token. 401 without one.',
    status: 200,
    answer: sessionSchema,
    errors: ['unauthorized'],
  }),
  signIn: defineRoute({
    method: 'POST',
    path: '/session',
    access: 'public',
    topic,
    summary:
      'Signs in by the XMPP password, which is checked by a login at the server of the account, or by the code of a sign-in message. Sets the session cookie.',
    body: named(
      'SignIn',
      z.union([
        z.strictObject({ jid: z.string().max(3072), password: z.string().min(1).max(1024) }),
        z.strictObject({
          code: z.string().min(1).max(64).describe('From the link or the text of the message.'),
        }),
      ]),
    ),
    status: 201,
    answer: sessionSchema,
    errors: ['credentials_wrong', 'too_many_attempts', 'unavailable', 'no_answer', 'server_refused', 'busy'],
  }),
  requestSignInLink: defineRoute({
    method: 'POST',
    path: '/sign-in-links',
    access: 'public',
    topic,
    summary:
      'Sends a message with a link and a code to this account. Both work once, within ten minutes, and only in the browser that made this request. Sets a cookie.',
    body: named(
      'SignInLinkRequest',
      z.strictObject({
        jid: z.string().max(3072),
        language: z.enum(['en', 'de']).default('en').describe('Language of the message.'),
      }),
    ),
    status: 202,
    answer: named('SignInLink', z.strictObject({ expiresAt: time })),
    errors: ['credentials_wrong', 'too_many_attempts', 'unavailable', 'no_answer', 'busy', 'bounced'],
  }),
  signOut: defineRoute({
    method: 'DELETE',
    path: '/session',
    access: 'session',
    topic,
    summary: 'Ends the session and removes its cookie.',
    status: 204,
    answer: null,
  }),
  listSessions: defineRoute({
    method: 'GET',
    path: '/sessions',
    access: 'session',
    topic,
    summary: 'Lists the sessions of the user, the latest first.',
    status: 200,
    answer: named(
      'SessionList',
      z.strictObject({
        sessions: z.array(
          z.strictObject({
            isCurrent: z.boolean(),
            client: z.string().describe('The User-Agent of the browser.'),
            createdAt: time,
            lastUsedAt: time,
            expiresAt: time,
          }),
        ),
      }),
    ),
  }),
  signOutEverywhere: defineRoute({
    method: 'DELETE',
    path: '/sessions',
    access: 'session',
    topic,
    summary: 'Ends all sessions of the user, this one included. Tokens stay valid.',
    status: 204,
    answer: null,
  }),
  listTokens: defineRoute({
    method: 'GET',
    path: '/tokens',
    access: 'session',
    topic: 'Tokens',
    summary: 'Lists the tokens of the user. The tokens themselves are not stored, only their hashes.',
    status: 200,
    answer: named(
      'TokenList',
      z.strictObject({
        tokens: z.array(
          z.strictObject({
            id: z.string(),
            name: z.string(),
            scopes: z.array(scope),
            createdAt: time,
            lastUsedAt: time.nullable(),
            expiresAt: time.nullable(),
          }),
        ),
      }),
    ),
  }),
  createToken: defineRoute({
    method: 'POST',
    path: '/tokens',
    access: 'session',
    topic: 'Tokens',
    summary: 'Makes a token for scripts. It is shown only in this answer.',
    body: named(
      'TokenRequest',
      z.strictObject({
        name: z.string().trim().min(1).max(100),
        scopes: z.array(scope).min(1).max(5),
        expiresAt: time.optional(),
      }),
    ),
    status: 201,
    answer: named('NewToken', z.strictObject({ id: z.string(), token: z.string() })),
  }),
  revokeToken: defineRoute({
    method: 'DELETE',
    path: '/tokens/{id}',
    access: 'session',
    topic: 'Tokens',
    summary: 'Revokes a token of the user.',
    status: 204,
    answer: null,
  }),
};

export const guestRoutes = {
  listGuestLinks: defineRoute({
    method: 'GET',
    path: '/guest-links',
    access: 'share',
    topic: 'Guest links',
    summary: 'Lists the links by which others send files to the user.',
    status: 200,
    answer: named(
      'GuestLinkList',
      z.strictObject({
        links: z.array(
          z.strictObject({
            id: z.string(),
            note: z.string(),
            createdAt: time,
            expiresAt: time,
            maxBytes: bytes.nullable(),
            maxFiles: z.int().nullable(),
            usedBytes: bytes,
            usedFiles: z.int(),
          }),
        ),
      }),
    ),
  }),
  createGuestLink: defineRoute({
    method: 'POST',
    path: '/guest-links',
    access: 'share',
    topic: 'Guest links',
    summary:
      'Makes a link with which a person without an account sends files to the user. It is shown only in this answer.',
    body: named(
      'GuestLinkRequest',
      z.strictObject({
        note: z.string().trim().max(200).default(''),
        expiresAt: time,
        maxBytes: z.int().positive().optional(),
        maxFiles: z.int().positive().max(10_000).optional(),
      }),
    ),
    status: 201,
    answer: named(
      'NewGuestLink',
      z.strictObject({
        id: z.string(),
        token: z.string().describe('The part of the link after `#/guest/` on the page.'),
      }),
    ),
  }),
  revokeGuestLink: defineRoute({
    method: 'DELETE',
    path: '/guest-links/{id}',
    access: 'share',
    topic: 'Guest links',
    summary: 'Revokes a guest link. Files that were uploaded through it are kept.',
    status: 204,
    answer: null,
  }),
  getGuestLink: defineRoute({
    method: 'GET',
    path: '/guest/{token}',
    access: 'public',
    topic: 'Guest links',
    summary: 'Returns the recipient and the limits of a guest link.',
    status: 200,
    answer: named(
      'GuestLink',
      z.strictObject({
        recipient: z.string(),
        note: z.string(),
        expiresAt: time,
        bytesLeft: bytes.nullable(),
        filesLeft: z.int().nullable(),
      }),
    ),
  }),
  createGuestSlot: defineRoute({
    method: 'POST',
    path: '/guest/{token}/slots',
    access: 'public',
    topic: 'Guest links',
    summary: 'Grants a slot for one file of a guest. It is charged to the user of the link.',
    body: named(
      'GuestSlotRequest',
      z.strictObject({
        name: z.string().min(1).max(4096),
        size: z.int().positive(),
        type: z.string().max(255).optional(),
      }),
    ),
    status: 201,
    answer: named(
      'GuestSlot',
      z.strictObject({ name: z.string(), putUrl: z.string(), contentType: z.string(), deadline: time }),
    ),
    errors: ['quota_exceeded', 'file_too_large', 'type_not_allowed', 'denied', 'storage_full'],
  }),
};
