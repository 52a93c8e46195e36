import { STATUS_CODES } from 'node:http';
import * as z from 'zod';
import { errorRow } from '../../base/errors.ts';
import { version } from '../../base/package-files.ts';
import { allRoutes } from './definitions.ts';
import { namedSchemas, type RouteDefinition } from './route.ts';
import { problemSchema } from './schemas.ts';

type Json = Record<string, unknown>;

/** Errors that every route may have. */
const COMMON_ERRORS = ['bad_request', 'internal', 'unavailable'] as const;

/** Returns the OpenAPI 3.1 description of the API. `title`: `web.title`. */
export function describeApi(title: string): Json {
  return {
    openapi: '3.1.0',
    info: {
      title,
      version,
      description:
        'Files of an XMPP server. Times are ISO 8601 in UTC, sizes are bytes. Errors are problem details (RFC 9457).',
    },
    servers: [{ url: './' }],
    tags: [...new Set(allRoutes.map(([, { topic }]) => topic))].map((name) => ({ name })),
    paths: describePaths(),
    components: { schemas: describeSchemas(), securitySchemes: SECURITY_SCHEMES },
  };
}

const SECURITY_SCHEMES = {
  session: { type: 'apiKey', in: 'cookie', name: 'porter_session' },
  csrf: {
    type: 'apiKey',
    in: 'header',
    name: 'X-CSRF-Token',
    description: 'With the session cookie, for POST, PATCH and DELETE.',
  },
  token: { type: 'http', scheme: 'bearer' },
};

function describePaths(): Json {
  const paths: Record<string, Json> = {};
  for (const [operationId, route] of allRoutes) {
    paths[route.path] = {
      ...paths[route.path],
      [route.method.toLowerCase()]: { operationId, ...describeOperation(route) },
    };
  }
  return paths;
}

function describeOperation(route: RouteDefinition): Json {
  const { summary, topic, status, answer, body } = route;
  const parameters = [...describePathParameters(route), ...describeQuery(route.query)];
  return {
    summary,
    tags: [topic],
    security: describeSecurity(route),
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: { required: true, content: jsonContent(body) } }),
    responses: {
      [status]: {
        description: STATUS_CODES[status] ?? '',
        ...(typeof answer === 'string' && { content: { [answer]: {} } }),
        ...(answer instanceof z.ZodType && { content: jsonContent(answer) }),
      },
      ...describeErrors(route),
    },
  };
}

function describePathParameters({ path }: RouteDefinition): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function describeQuery(query: z.ZodObject | undefined): Json[] {
  return Object.entries(query?.shape ?? {}).map(([name, schema]) => {
    const { description, ...json } = toJsonSchema(schema as z.ZodType, 'input');
    return {
      name,
      in: 'query',
      required: false,
      schema: json,
      ...(description !== undefined && { description }),
    };
  });
}

/** Alternatives: a session, or a token with the scope of the route. */
function describeSecurity({ access, method }: RouteDefinition): Json[] {
  if (access === 'public') return [{}];
  const session = method === 'GET' ? { session: [] } : { session: [], csrf: [] };
  const scope = access === 'moderator' ? 'admin' : access;
  return access === 'session' ? [session] : [session, { token: [scope] }];
}

function describeErrors({ access, method, body, errors = [] }: RouteDefinition): Json {
  const codes = new Set<Parameters<typeof errorRow>[0]>([...COMMON_ERRORS, ...errors]);
  if (access !== 'public') codes.add('unauthorized').add('not_permitted');
  if (access !== 'public' && method !== 'GET') codes.add('csrf_wrong');
  if (body) codes.add('message_too_large');
  const byStatus = Map.groupBy(codes, (code) => errorRow(code).http);
  return Object.fromEntries(
    [...byStatus].map(([status, some]) => [
      status,
      {
        description: some.join(', '),
        content: { 'application/problem+json': { schema: refTo(problemSchema) } },
      },
    ]),
  );
}

const jsonContent = (schema: z.ZodType) => ({ 'application/json': { schema: refTo(schema) } });

/** Returns a reference to a named schema, or the schema itself. */
function refTo(schema: z.ZodType): Json {
  const name = namedSchemas.get(schema)?.id;
  return name === undefined ? toJsonSchema(schema, 'output') : { $ref: `#/components/schemas/${name}` };
}

function describeSchemas(): Json {
  const { schemas } = z.toJSONSchema(namedSchemas, {
    uri: (id) => `#/components/schemas/${id}`,
    io: 'input',
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [name, withoutIds(schema as Json)]),
  );
}

/** A component is found by its place in the document, so it needs no id. */
function withoutIds({ $id: _id, $schema: _schema, id: _name, ...schema }: Json): Json {
  return schema;
}

function toJsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  return withoutIds(z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json);
}
