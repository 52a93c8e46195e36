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
  /** Returns the metrics of all workers; undefined if this is the only process. */
  readonly allProcessesMetrics?: (() => Promise<string>) | undefined;
  readonly readiness: () => Promise<Readiness>;
  readonly version: string;
  /** Called for every request: a reload replaces the settings. */
  readonly settings: () => HealthEndpointSettings;
}

const NO_STORE = 'no-store';

/** `/healthz`, `/readyz` and metrics for load balancers and monitoring, and a start page. */
export function healthEndpoints(services: HealthEndpointServices, metricsPath: string): FastifyPluginAsync {
  return async (app) => {
    app.get('/healthz', (_request, reply) =>
      reply.header('Cache-Control', NO_STORE).type('text/plain').send('ok\n'),
    );
    app.get('/readyz', async (_request, reply) => {
      const state = await services.readiness();
      return reply
        .code(state.ready ? 200 : 503)
        .header('Cache-Control', NO_STORE)
        .send(state);
    });
    app.get(metricsPath, async (request, reply) => {
      const { metricsAllowFrom, trustedProxies } = services.settings();
      const client = getClientInfo(request.raw, trustedProxies);
      if (!isAllowedClient(metricsAllowFrom, client)) {
        throw new Refusal('caller_refused', {
          text: `${client.address} is not listed in metrics.allow_from.`,
        });
      }
      const { registry } = services.metrics;
      const text = await (services.allProcessesMetrics ?? (() => registry.metrics()))();
      return reply.header('Cache-Control', NO_STORE).type(registry.contentType).send(text);
    });
    addStartPage(services, app);
  };
}

function addStartPage({ version }: HealthEndpointServices, app: Parameters<FastifyPluginAsync>[0]): void {
  const startPage = `This is Porter ${version}: HTTP file sharing and messaging beside an XMPP server.\nThis page has no content. Each file has a link.\n`;
  app.get('/', (_request, reply) => reply.type('text/plain; charset=utf-8').send(startPage));
  app.get('/robots.txt', (_request, reply) => reply.type('text/plain').send('User-agent: *\nDisallow: /\n'));
  app.get('/favicon.ico', (_request, reply) => reply.code(404).header('Content-Length', '0').send());
}
