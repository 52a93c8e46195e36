import { useCallback, useEffect, useRef, useState } from 'preact/hooks';

export interface Loaded<T> {
  readonly value: T | undefined;
  readonly error: unknown;
  readonly isLoading: boolean;
  /** Loads again; the old value is shown until then. */
  readonly reload: () => void;
  readonly setValue: (change: (old: T) => T) => void;
}

/** Loads a value when a view opens and each time that `key` changes. An answer to an older key is dropped. */
export function useLoaded<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [state, setState] = useState<{ value?: T; error?: unknown; isLoading: boolean }>({ isLoading: true });
  const [round, setRound] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  // Loads again if the key or the round changes.
  useEffect(() => {
    const abort = new AbortController();
    setState((old) => ({ ...old, isLoading: true }));
    latest.current(abort.signal).then(
      (value) => setState({ value, isLoading: false }),
      (error: unknown) => {
        if (!abort.signal.aborted) setState({ error, isLoading: false });
      },
    );
    return () => abort.abort();
  }, [key, round]);
  const reload = useCallback(() => setRound((old) => old + 1), []);
  const setValue = useCallback(
    (change: (old: T) => T) =>
      setState((old) => (old.value === undefined ? old : { ...old, value: change(old.value) })),
    [],
  );
  return { value: state.value, error: state.error, isLoading: state.isLoading, reload, setValue };
}
