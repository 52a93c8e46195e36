import type { Answer } from '../lib/api.ts';
import { useLocale } from '../lib/language.ts';
import { Facts } from './facts.tsx';

/** The rule of the configuration that decides for a user. */
export function RuleFacts({ rule }: { rule: Answer<'GET /admin/rule'> }) {
  const { words, formats } = useLocale();
  const size = (bytes: number | null) => (bytes === null ? words.unlimited : formats.bytes(bytes));
  return (
    <Facts
      facts={[
        [words.rule, rule.rule === null ? words.noRule : ruleText(rule.rule, rule.line)],
        ...(rule.patterns.length > 0
          ? [[words.because, words.matches(rule.patterns.join(', '))] as const]
          : []),
        [words.mayUpload, rule.isAllowed ? words.yes : words.no],
        [words.fileLimit, size(rule.maxFileSize)],
        [words.quota, size(rule.quotaBytes)],
        [words.role, words.roles[rule.role]],
      ]}
    />
  );

  function ruleText(name: string, line: number | null): string {
    return line === null ? name : words.ruleAt(name, String(line));
  }
}
