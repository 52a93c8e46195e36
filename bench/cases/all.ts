import type { Case } from './case.ts';
import { getLarge, getMany, getSmall } from './get.ts';
import { idleConnections } from './idle.ts';
import { latencyGet, latencyPut } from './latency.ts';
import { messagesLogin } from './login.ts';
import { memoryDownloads, memoryUploads } from './memory.ts';
import { messagesEjabberd, messagesInTurn, messagesProsody } from './messages.ts';
import { putLarge, putSigned, putSmall } from './put.ts';
import { s3Cases } from './s3.ts';
import { getSizes, putSizes } from './sizes.ts';
import { slotsApi, slotsEjabberd, slotsProsody } from './slots.ts';
import { tlsCases } from './tls.ts';
import { workersGet, workersSlots } from './workers.ts';

export const cases: readonly Case[] = [
  getSmall,
  getMany,
  getLarge,
  ...getSizes,
  putSmall,
  putSigned,
  putLarge,
  ...putSizes,
  ...tlsCases,
  latencyGet,
  latencyPut,
  slotsApi,
  slotsProsody,
  slotsEjabberd,
  messagesProsody,
  messagesEjabberd,
  ...messagesInTurn,
  messagesLogin,
  workersGet,
  workersSlots,
  ...s3Cases,
  memoryUploads,
  memoryDownloads,
  idleConnections,
];
