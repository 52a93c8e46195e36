import type { FastifyPluginAsync } from 'fastify';
import { Refusal } from '../../base/errors.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { type AddressMatcher, getClientInfo, isAllowedClient } from '../common/client-info.ts';
import type { Readiness } from './readiness.ts';

export interface HealthEndpointSettings {
  /** `metrics.allow_from`. */
  readonly metricsAllowFrom: AddressMatcher;
  /** `trusted_proxies`. */
  readonly trustedProxies: AddressMatcher;
}

export interface HealthEndpointServices {
  readonly metrics: Metrics;
  /** What is counted in all processes that serve here, where there are more than this one. */
  readonly allProcessesMetrics?: (() => Promise<string>) | undefined;
  readonly readiness: () => Promise<Readiness>;
  readonly version: string;
  /** Asked at every request; a reload may change it. */
  readonly settings: () => HealthEndpointSettings;
}

const NO_STORE = 'no-store';

/** For balancers, monitors and people: `/healthz`, `/readyz`, metrics, and a word at the front door. */
export function healthEndpoints(deps: HealthEndpointServices, metricsPath: string): FastifyPluginAsync {
  return async (app) => {
    app.get('/healthz', (_request, reply) =>
      reply.header('Cache-Control', NO_STORE).type('text/plain').send('ok\n'),
    );
    app.get('/readyz', async (_request, reply) => {
      const state = await deps.readiness();
      return reply
        .code(state.ready ? 200 : 503)
        .header('Cache-Control', NO_STORE)
        .send(state);
    });
    app.get(metricsPath, async (request, reply) => {
      const { metricsAllowFrom, trustedProxies } = deps.settings();
      const peer = getClientInfo(request.raw, trustedProxies);
      if (!isAllowedClient(metricsAllowFrom, peer)) {
        throw new Refusal('caller_refused', {
          text: `${peer.address} is not among those in metrics.allow_from.`,
        });
      }
      const { registry } = deps.metrics;
      const text = await (deps.allProcessesMetrics ?? (() => registry.metrics()))();
      return reply.header('Cache-Control', NO_STORE).type(registry.contentType).send(text);
    });
    frontDoor(deps, app);
  };
}

function frontDoor({ version }: HealthEndpointServices, app: Parameters<FastifyPluginAsync>[0]): void {
  const hello = `This is Porter ${version}: HTTP file sharing and messaging beside an XMPP server.\nThere is nothing to see here; files have links of their own.\n`;
  app.get('/', (_request, reply) => reply.type('text/plain; charset=utf-8').send(hello));
  app.get('/robots.txt', (_request, reply) => reply.type('text/plain').send('User-agent: *\nDisallow: /\n'));
  app.get('/favicon.ico', (_request, reply) => reply.code(404).header('Content-Length', '0').send());
}
