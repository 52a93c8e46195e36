import type { AllowedIn, Database, Durability, Queryable, TransactionOptions } from './database.ts';

/** Makes ids of new owners, 1 to 2^31 - 1. Called again if the id is taken. */
export type NewOwnerId = () => number;

/** How one method of the ledger runs. */
export interface MethodDefinition<Argument, Result> {
  /** The SQLite thread that runs the method. Readers do not wait for writers or their fsync. */
  readonly thread: 'reader' | 'writer';
  run(db: Database, argument: Argument, newOwnerId?: NewOwnerId): Promise<Result>;
}

/** Defines a method that reads committed rows, without a transaction. */
export function read<Argument, Result>(
  run: (q: Queryable, argument: Argument) => Promise<Result>,
): MethodDefinition<Argument, Result> {
  return { thread: 'reader', run };
}

/** Defines a method that runs in one transaction. `allowedIn`: the migration states in which it is allowed. */
export function write<Argument, Result>(
  durability: Durability,
  allowedIn: AllowedIn | ((argument: Argument) => AllowedIn),
  work: (q: Queryable, argument: Argument, newOwnerId?: NewOwnerId) => Promise<Result>,
  options: TransactionOptions = {},
): MethodDefinition<Argument, Result> {
  return {
    thread: 'writer',
    run(db, argument, newOwnerId) {
      const states = typeof allowedIn === 'function' ? allowedIn(argument) : allowedIn;
      return db.transaction((q) => work(q, argument, newOwnerId), durability, states, options);
    },
  };
}

/** Defines a method that starts its own transactions. */
export function custom<Argument, Result>(
  run: (db: Database, argument: Argument) => Promise<Result>,
): MethodDefinition<Argument, Result> {
  return { thread: 'writer', run };
}
