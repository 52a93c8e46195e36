import type { Case } from './case.ts';
import { getLarge, getMany, getSmall } from './get.ts';
import { memoryDownloads, memoryUploads } from './memory.ts';
import { messagesEjabberd, messagesProsody } from './messages.ts';
import { putLarge, putSmall } from './put.ts';
import { slotsApi, slotsEjabberd, slotsProsody } from './slots.ts';
import { workersGet, workersSlots } from './workers.ts';

export const cases: readonly Case[] = [
  getSmall,
  getMany,
  getLarge,
  putSmall,
  putLarge,
  slotsApi,
  slotsProsody,
  slotsEjabberd,
  messagesProsody,
  messagesEjabberd,
  workersGet,
  workersSlots,
  memoryUploads,
  memoryDownloads,
];
