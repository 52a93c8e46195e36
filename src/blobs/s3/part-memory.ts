/** Memory for parts that wait until they are whole, one budget for all uploads of the process. */
export interface PartMemory {
  /** So many bytes, or undefined where that would leave too little for others. */
  tryAcquire(size: number): MemoryLease | undefined;
  /** So many bytes, when it is this caller's turn. */
  acquire(size: number): Promise<MemoryLease>;
}

export interface MemoryLease {
  readonly buffer: Buffer;
  /** Gives it back. `isSent`: nobody reads it any more, so that its memory can be freed at once. */
  release(isSent: boolean): void;
}

/** Of what is free, one part takes at most this share: few large ones never push all small ones out. */
const SHARE = 1 / 4;

/** `budget`: bytes. */
export function createPartMemory(budget: number): PartMemory {
  const line: { size: number; enter: (lease: MemoryLease) => void }[] = [];
  let free = budget;

  function lease(size: number): MemoryLease {
    free -= size;
    const buffer = Buffer.allocUnsafeSlow(size);
    let ended = false;
    return {
      buffer,
      release(isSent) {
        if (ended) return;
        ended = true;
        // The garbage collector sees only the small object in front of it, and would let hundreds of megabytes pile up.
        if (isSent) (buffer.buffer as ArrayBuffer).transfer(0);
        free += size;
        letIn();
      },
    };
  }

  /** Who is alone is let in even where the budget is too small. */
  const hasRoom = (size: number) => size <= free || free === budget;

  function letIn(): void {
    for (let next = line[0]; next && hasRoom(next.size); next = line[0]) {
      line.shift();
      next.enter(lease(next.size));
    }
  }

  return {
    tryAcquire: (size) => (line.length === 0 && size <= free * SHARE ? lease(size) : undefined),
    acquire(size) {
      if (line.length === 0 && hasRoom(size)) return Promise.resolve(lease(size));
      return new Promise((enter) => line.push({ size, enter }));
    },
  };
}
