import type { z } from 'zod';
import type { ApiRoutes } from '../../api/definitions.ts';

type RoutesByName = {
  readonly [Id in keyof ApiRoutes as `${ApiRoutes[Id]['method']} ${ApiRoutes[Id]['path']}`]: ApiRoutes[Id];
};

/** A route as the API describes it: `GET /files`. */
export type RouteName = keyof RoutesByName;

/** The answer of a route. */
export type Answer<Name extends RouteName> = RoutesByName[Name]['answer'] extends z.ZodType
  ? z.output<RoutesByName[Name]['answer']>
  : undefined;

type Query<Name extends RouteName> = RoutesByName[Name] extends { readonly query: infer Q extends z.ZodType }
  ? z.input<Q>
  : undefined;
type Body<Name extends RouteName> = RoutesByName[Name] extends { readonly body: infer B extends z.ZodType }
  ? z.input<B>
  : undefined;

export interface CallInput<Name extends RouteName> {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Query<Name>;
  readonly body?: Body<Name>;
  readonly signal?: AbortSignal;
}

/** Problem details of the API (RFC 9457). */
export class ApiError extends Error {
  readonly status: number;
  /** A code of docs/errors.md; `offline` if the server does not answer. */
  readonly code: string;
  readonly retryAt: string | undefined;
  constructor(status: number, code: string, detail: string, retryAt?: string) {
    super(detail);
    this.status = status;
    this.code = code;
    this.retryAt = retryAt;
  }
}

let csrfToken: string | null = null;
let onSignedOut = () => {};

/** Sets the token that every changing request of this session repeats. */
export function setCsrfToken(token: string | null): void {
  csrfToken = token;
}

/** Sets the function that is called if the session has ended. */
export function setSignedOutHandler(handler: () => void): void {
  onSignedOut = handler;
}

/** The address of a route below the page. Relative, because a reverse proxy may add or remove a prefix. */
export function apiUrl(path: string, query: object = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  const search = new URLSearchParams(given.map(([key, value]) => [key, String(value)]));
  return `api/v1${path}${given.length > 0 ? `?${search}` : ''}`;
}

/** Calls a route. Throws `ApiError` if it is refused or the server cannot be reached. */
export async function call<Name extends RouteName>(
  name: Name,
  { params = {}, query, body, signal }: CallInput<Name> = {},
): Promise<Answer<Name>> {
  const [method = 'GET', template = ''] = name.split(' ');
  const path = template.replace(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(params[key] ?? ''));
  const headers = new Headers();
  if (method !== 'GET' && csrfToken !== null) headers.set('X-CSRF-Token', csrfToken);
  if (body !== undefined) headers.set('Content-Type', 'application/json');
  const response = await fetch(apiUrl(path, query ?? {}), {
    method,
    headers,
    credentials: 'same-origin',
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  }).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw new ApiError(0, 'offline', 'The server does not answer. Check the connection and try again.');
  });
  if (!response.ok) throw await toApiError(response);
  if (response.status === 204) return undefined as Answer<Name>;
  return (await response.json()) as Answer<Name>;
}

async function toApiError(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => ({}))) as Partial<Record<string, string>>;
  const code = problem.code ?? `http_${response.status}`;
  if (code === 'unauthorized') onSignedOut();
  const text = problem.detail ?? `The server answered ${response.status}.`;
  return new ApiError(response.status, code, text, problem.retryAt);
}
