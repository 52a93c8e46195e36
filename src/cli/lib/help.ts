/** Formats usage examples for `addHelpText('after', …)`. Every command has at least one. */
export function formatExamples(...lines: readonly string[]): string {
  return `\nExample:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}
