import { useState } from 'preact/hooks';
import { LANGUAGES, type Language, useLocale } from '../lib/language.ts';
import { applyTheme, chosenTheme, type Theme } from '../lib/theme.ts';
import { Select } from './field.tsx';

interface PageFooterProps {
  readonly contacts: readonly string[];
  readonly onLanguage: (language: Language) => void;
}

/** Language, colours, and the contact for reports of abuse. */
export function PageFooter({ contacts, onLanguage }: PageFooterProps) {
  const { words, language } = useLocale();
  const [theme, setTheme] = useState(chosenTheme);
  return (
    <footer class="page-foot">
      <Select label={words.language} value={language} options={LANGUAGES} onChoice={onLanguage} />
      <Select<Theme>
        label={words.theme}
        value={theme}
        options={words.themes}
        onChoice={(next) => {
          applyTheme(next);
          setTheme(next);
        }}
      />
      <ul class="foot-links">
        {contacts.map((uri) => (
          <li key={uri}>
            <a href={uri} rel="noreferrer">
              {words.contact}: {uri.replace(/^(?:mailto|xmpp):/, '')}
            </a>
          </li>
        ))}
        <li>
          <a href="licenses.txt">{words.licenses}</a>
        </li>
      </ul>
    </footer>
  );
}
