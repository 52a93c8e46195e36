import type { TestContext } from 'node:test';
import type { FastifyPluginAsync } from 'fastify';
import { createRoutes, type RoutesDeps } from '../../src/http/routes.ts';
import { type DataDoor, HttpServer } from '../../src/http/server.ts';
import { type Call, call, type Reply } from './http.ts';

export interface ServedDoors {
  readonly port: number;
  request(path: string, options?: Call): Promise<Reply>;
}

const noFiles = { owns: () => false, handle: () => undefined, handleContinue: () => undefined };

/** Doors behind the real server on a free port, until the test ends; `data` = where there are files too. */
export async function serveDoors(
  t: Pick<TestContext, 'after'>,
  deps: RoutesDeps,
  doors: readonly FastifyPluginAsync[],
  data: DataDoor = noFiles,
): Promise<ServedDoors> {
  const routes = await createRoutes(deps, doors);
  const server = new HttpServer(
    { log: deps.log, data, route: routes.routing },
    { listen: [{ host: '127.0.0.1', port: 0 }], baseUrls: [] },
  );
  await server.start();
  t.after(async () => {
    await server.stop({ graceMs: 0 });
    await routes.close();
  });
  const [address] = server.addresses;
  const port = address !== undefined && 'port' in address ? address.port : 0;
  return { port, request: (path, options) => call({ host: '127.0.0.1', port }, path, options) };
}
