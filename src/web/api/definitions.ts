import type { RouteDefinition } from './route.ts';
import { activityRoutes } from './routes/activity-routes.ts';
import { adminRoutes } from './routes/admin-routes.ts';
import { contentRoutes } from './routes/content-routes.ts';
import { fileRoutes } from './routes/file-routes.ts';
import { overviewRoutes } from './routes/overview-routes.ts';
import { guestRoutes, sessionRoutes } from './routes/session-routes.ts';

/**
 * Every route of the API by its operation id. The endpoint registers them, `openapi.ts` describes them, and the page takes
 * its types from them.
 */
export const routeDefinitions = {
  ...sessionRoutes,
  ...fileRoutes,
  ...guestRoutes,
  ...adminRoutes,
  ...contentRoutes,
  ...overviewRoutes,
  ...activityRoutes,
};

export type ApiRoutes = typeof routeDefinitions;
export type OperationId = keyof ApiRoutes;

/** The definitions as a list, without their exact types. */
export const allRoutes = Object.entries(routeDefinitions) as readonly [OperationId, RouteDefinition][];

export const API_PREFIX = 'api/v1';
