import type { BlobStore } from '../../../src/blobs/contract.ts';
import type { Ledger } from '../../../src/ledger/contract/ledger.ts';

export interface Stores {
  readonly ledger: Ledger;
  readonly blobs: BlobStore;
}

/** `during` is for calls that read batches: after the first batch. */
export type Moment = 'before' | 'during' | 'after';

export interface Fault {
  /** As in `FAULT_POINTS`. */
  readonly call: string;
  readonly moment: Moment;
  /** `kill`: no later call of this process takes place. `error`: the call rejects, and the process continues. */
  readonly kind: 'kill' | 'error';
}

/** The stores of one process, with a fault at one call. */
export class FaultyProcess {
  /** Names of all calls, in order. */
  readonly calls: string[] = [];
  readonly #fault: Fault | undefined;
  readonly #killed = Promise.withResolvers<'killed'>();
  #isDead = false;

  constructor(fault?: Fault) {
    this.#fault = fault;
  }

  /** Runs an operation. Resolves with its result, or with `killed`. A killed operation never ends. */
  async run<T>(operation: () => Promise<T>): Promise<T | 'killed'> {
    return await Promise.race([operation(), this.#killed.promise]);
  }

  wrap({ ledger, blobs }: Stores, prefix = ''): Stores {
    return {
      ledger: this.#wrapStore(ledger, `${prefix}ledger`),
      blobs: this.#wrapStore(blobs, `${prefix}blobs`),
    };
  }

  #wrapStore<S extends object>(store: S, name: string): S {
    return new Proxy(store, {
      get: (target, key) => {
        const method = Reflect.get(target, key, target) as unknown;
        if (typeof method !== 'function' || key === 'list') return method;
        return (...args: unknown[]) =>
          this.#call(`${name}.${String(key)}`, args, (...given) => method.apply(target, given));
      },
    });
  }

  async #call(call: string, args: unknown[], method: (...args: unknown[]) => unknown): Promise<unknown> {
    if (this.#isDead) return await forever();
    this.calls.push(call);
    const count = this.calls.filter((one) => one === call).length;
    const label = count === 1 ? call : `${call} ${count}`;
    const moment = this.#fault?.call === label ? this.#fault.moment : undefined;
    if (moment === 'before') await this.#injectFault(call);
    const given = moment === 'during' ? args.map((arg) => this.#cutBatches(call, arg)) : args;
    const result = await method(...given);
    if (this.#isDead) return await forever();
    if (moment === 'after') await this.#injectFault(call);
    return result;
  }

  #cutBatches(call: string, arg: unknown): unknown {
    if (typeof arg !== 'object' || arg === null || !(Symbol.asyncIterator in arg)) return arg;
    const injectFault = () => this.#injectFault(call);
    return (async function* () {
      for await (const batch of arg as AsyncIterable<unknown>) {
        yield batch;
        await injectFault();
      }
    })();
  }

  async #injectFault(call: string): Promise<void> {
    if (this.#fault?.kind === 'error') throw new Error(`injected: ${call}`);
    this.#isDead = true;
    this.#killed.resolve('killed');
    await forever();
  }
}

/** Keeps references to the objects of killed operations, because Node.js reports a garbage-collected file handle as an error. */
const killed = new Set<Promise<never>>();

function forever(): Promise<never> {
  const promise = new Promise<never>(() => {});
  killed.add(promise);
  return promise;
}
