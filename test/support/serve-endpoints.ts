import type { TestContext } from 'node:test';
import type { FastifyPluginAsync } from 'fastify';
import { type DataPlane, HttpServer } from '../../src/http/listener/http-server.ts';
import { createRouter, type RouterServices } from '../../src/http/listener/router.ts';
import { type HttpResponse, sendRequest, type TestRequest } from './http.ts';

export interface ServedEndpoints {
  readonly port: number;
  request(path: string, options?: TestRequest): Promise<HttpResponse>;
}

const noFiles = { owns: () => false, handle: () => undefined, handleContinue: () => undefined };

/** Serves endpoints on a free port until the test ends; `data` adds the file endpoints. */
export async function serveEndpoints(
  t: Pick<TestContext, 'after'>,
  deps: RouterServices,
  endpoints: readonly FastifyPluginAsync[],
  dataPlane: DataPlane = noFiles,
): Promise<ServedEndpoints> {
  const routes = await createRouter(deps, endpoints);
  const server = new HttpServer(
    { log: deps.log, dataPlane, route: routes.routing },
    { listen: [{ host: '127.0.0.1', port: 0 }], baseUrls: [] },
  );
  await server.start();
  t.after(async () => {
    await server.stop({ graceMs: 0 });
    await routes.close();
  });
  const [address] = server.addresses;
  const port = address !== undefined && 'port' in address ? address.port : 0;
  return { port, request: (path, options) => sendRequest({ host: '127.0.0.1', port }, path, options) };
}
