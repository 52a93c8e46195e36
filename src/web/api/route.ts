import * as z from 'zod';
import type { ErrorCode } from '../../base/errors.ts';

/** The permissions that a token can have. A session has all scopes of its user. */
export const SCOPES = ['files:read', 'files:write', 'share', 'message', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/**
 * The clients that may call a route.
 *
 * | access | session | token |
 * |---|---|---|
 * | `public` | also without signing in | also without |
 * | `session` | every user | never: a token must not make other tokens or sign out its owner |
 * | `files:read`, `files:write`, `share` | every user | with this scope |
 * | `moderator` | moderators and admins | of an admin, with the scope `admin`; the admin token of the config |
 * | `admin` | admins | of an admin, with the scope `admin`; the admin token of the config |
 */
export type RouteAccess = 'public' | 'session' | Exclude<Scope, 'message' | 'admin'> | 'moderator' | 'admin';

/** One route of the API. The validation, the OpenAPI description and the client types of the page come from it. */
export interface RouteDefinition {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below `api/v1`, with parameters as `{id}`. */
  readonly path: `/${string}`;
  readonly access: RouteAccess;
  /** Groups the routes in the reference. */
  readonly topic: string;
  /** One line, in the third person. */
  readonly summary: string;
  readonly query?: z.ZodObject;
  /** JSON body. */
  readonly body?: z.ZodType;
  /** Status of success, with a JSON body unless `answer` is null. */
  readonly status: 200 | 201 | 202 | 204;
  /** Null: no body. A string: the media type of a stream. */
  readonly answer: z.ZodType | string | null;
  /** Refusals besides those that every route has. */
  readonly errors?: readonly ErrorCode[];
}

/** Declares a route and keeps its exact types. */
export function defineRoute<const D extends RouteDefinition>(definition: D): D {
  return definition;
}

/** The schemas with a name: `components.schemas` of the OpenAPI description. */
export const namedSchemas = z.registry<{ id: string }>();

/** Gives a schema a name in the OpenAPI description. */
export function named<T extends z.ZodType>(id: string, schema: T): T {
  namedSchemas.add(schema, { id });
  return schema;
}

type ParamNames<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParamNames<Rest>
  : never;

/** The checked input of a route. */
export interface RouteInput<D extends RouteDefinition> {
  readonly params: Readonly<Record<ParamNames<D['path']>, string>>;
  readonly query: D['query'] extends z.ZodObject ? z.output<D['query']> : undefined;
  readonly body: D['body'] extends z.ZodType ? z.output<D['body']> : undefined;
}

/** The answer of a route. Streams are written by the handler itself. */
export type RouteAnswer<D extends RouteDefinition> = D['answer'] extends z.ZodType
  ? z.input<D['answer']>
  : undefined;
