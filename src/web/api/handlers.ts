import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ClientInfo } from '../../http/common/client-info.ts';
import type { Principal } from '../sign-in/principal.ts';
import type { ApiRoutes, OperationId } from './definitions.ts';
import type { RouteAnswer, RouteInput } from './route.ts';

/** The request of a handler, besides its checked input. */
export interface ApiCall {
  /** Undefined only at routes with the access `public`. */
  readonly principal: Principal | undefined;
  readonly client: ClientInfo;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

export type Handler<Id extends OperationId> = (
  input: RouteInput<ApiRoutes[Id]>,
  call: ApiCall,
) => Promise<RouteAnswer<ApiRoutes[Id]>>;

/** One handler for each route. */
export type Handlers<Id extends OperationId = OperationId> = { readonly [K in Id]: Handler<K> };
