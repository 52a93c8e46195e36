import { createContext } from 'preact';
import { useContext } from 'preact/hooks';

/** A short message at the bottom of the page, read aloud by screen readers. */
export interface Notice {
  readonly text: string;
  readonly isError?: boolean;
  readonly action?: { readonly label: string; readonly run: () => void };
}

export type ShowNotice = (notice: Notice) => void;

export const NoticeContext = createContext<ShowNotice>(() => {});

export function useNotices(): ShowNotice {
  return useContext(NoticeContext);
}
