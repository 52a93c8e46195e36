/** Memory for the parts of multipart uploads, with one budget for all uploads of the process. */
export interface PartMemory {
  /** Returns a buffer of this many bytes, or undefined if that would leave too little for others. */
  tryAcquire(size: number): MemoryLease | undefined;
  /** Resolves with a buffer of this many bytes once there is room, first come, first served. */
  acquire(size: number): Promise<MemoryLease>;
}

export interface MemoryLease {
  readonly buffer: Buffer;
  /** Returns the memory to the budget. `isUnused`: nothing reads the buffer any more, so it is freed at once. */
  release(isUnused: boolean): void;
}

/** Sends the first `size` bytes of a lease and releases it, also after a failure. */
export async function sendLease(
  lease: MemoryLease,
  size: number,
  send: (body: Buffer, size: number) => Promise<void>,
): Promise<void> {
  let isSent = false;
  try {
    await send(lease.buffer.subarray(0, size), size);
    isSent = true;
  } finally {
    lease.release(isSent);
  }
}

/** `tryAcquire` gives one part at most this share of the free memory, so that large parts leave room for small ones. */
const MAX_SHARE = 1 / 4;

/** `budget`: bytes. */
export function createPartMemory(budget: number): PartMemory {
  const waiting: { size: number; resolve: (lease: MemoryLease) => void }[] = [];
  let free = budget;

  function allocate(size: number): MemoryLease {
    free -= size;
    const buffer = Buffer.allocUnsafeSlow(size);
    let released = false;
    return {
      buffer,
      release(isUnused) {
        if (released) return;
        released = true;
        // The garbage collector sees only the small Buffer object, and would let hundreds of megabytes pile up.
        if (isUnused) (buffer.buffer as ArrayBuffer).transfer(0);
        free += size;
        serveWaiting();
      },
    };
  }

  /** A request larger than the whole budget is served once nothing else is allocated. */
  const hasRoom = (size: number) => size <= free || free === budget;

  function serveWaiting(): void {
    for (let next = waiting[0]; next && hasRoom(next.size); next = waiting[0]) {
      waiting.shift();
      next.resolve(allocate(next.size));
    }
  }

  return {
    tryAcquire: (size) => (waiting.length === 0 && size <= free * MAX_SHARE ? allocate(size) : undefined),
    acquire(size) {
      if (waiting.length === 0 && hasRoom(size)) return Promise.resolve(allocate(size));
      return new Promise((resolve) => waiting.push({ size, resolve }));
    },
  };
}
