import { RelayError } from './relay.ts';

/** The outcome of the work, or a `RelayFault` of kind `late` after so many milliseconds. */
export async function withRelayTimeout<T>(work: Promise<T>, ms: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new RelayError('late', `No answer within ${ms} ms.`)), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
