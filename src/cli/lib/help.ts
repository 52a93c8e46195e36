/** For `addHelpText('after', …)`: every command shows how it is used. */
export function formatExamples(...lines: readonly string[]): string {
  return `\nExample:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}
