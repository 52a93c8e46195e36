/** Memory for parts that wait until they are whole, one budget for all uploads of the process. */
export interface PartMemory {
  /** So many bytes, or undefined where that would leave too little for others. */
  take(size: number): Lease | undefined;
  /** So many bytes, when it is this caller's turn. */
  wait(size: number): Promise<Lease>;
}

export interface Lease {
  readonly buffer: Buffer;
  /** Gives it back. `isSent`: nobody reads it any more, so that its memory can be freed at once. */
  end(isSent: boolean): void;
}

/** Of what is free, one part takes at most this share: few large ones never push all small ones out. */
const SHARE = 1 / 4;

/** `budget`: bytes. */
export function createPartMemory(budget: number): PartMemory {
  const line: { size: number; enter: (lease: Lease) => void }[] = [];
  let free = budget;

  function lease(size: number): Lease {
    free -= size;
    const buffer = Buffer.allocUnsafeSlow(size);
    let ended = false;
    return {
      buffer,
      end(isSent) {
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
    take: (size) => (line.length === 0 && size <= free * SHARE ? lease(size) : undefined),
    wait(size) {
      if (line.length === 0 && hasRoom(size)) return Promise.resolve(lease(size));
      return new Promise((enter) => line.push({ size, enter }));
    },
  };
}
