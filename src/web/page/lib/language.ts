import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { en, type Words } from '../words/en.ts';
import { ApiError } from './api.ts';
import { createFormats, type Formats } from './format.ts';
import { readStored, writeStored } from './storage.ts';

export const LANGUAGES = { en: 'English', de: 'Deutsch' } as const;
export type Language = keyof typeof LANGUAGES;

/** The texts and formats of one language. */
export interface PageLocale {
  readonly language: Language;
  readonly words: Words;
  readonly formats: Formats;
}

const KEY = 'porter-language';

/** Returns the language that was chosen on this page, or the first one of the browser that the page has. */
export function preferredLanguage(): Language {
  const wanted = [readStored(KEY) ?? '', ...navigator.languages];
  const found = wanted.map((tag) => tag.split('-')[0] ?? '').find((tag) => Object.hasOwn(LANGUAGES, tag));
  return (found ?? 'en') as Language;
}

export function rememberLanguage(language: Language): void {
  writeStored(KEY, language);
}

/** Loads the texts of a language. English is always there, others are loaded if needed. */
export async function loadLocale(language: Language): Promise<PageLocale> {
  const words = language === 'de' ? (await import('../words/de.ts')).de : en;
  return { language, words, formats: createFormats(regionalTag(language)) };
}

/** Returns the language with the region of the browser, such as `en-GB`: dates differ between regions. */
function regionalTag(language: Language): string {
  return navigator.languages.find((tag) => tag.split('-')[0] === language) ?? language;
}

export const LocaleContext = createContext<PageLocale>({
  language: 'en',
  words: en,
  formats: createFormats('en'),
});

export function useLocale(): PageLocale {
  return useContext(LocaleContext);
}

/** Returns the text of an error for the user. The texts of the server are in English. */
export function errorText({ words, formats }: PageLocale, error: unknown): string {
  if (!(error instanceof ApiError)) return words.unexpected;
  const text = words.errors[error.code];
  if (text === undefined) return error.message;
  return error.retryAt === undefined ? text : `${text} ${words.tryAgain(formats.relative(error.retryAt))}`;
}
