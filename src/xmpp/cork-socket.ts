import type { Socket } from 'node:net';

/** Collects everything that is written in this tick, so that it leaves in one packet. */
export function corkForThisTick(socket: Socket): void {
  if (socket.writableCorked > 0) return;
  socket.cork();
  process.nextTick(() => socket.uncork());
}
