/** A problem, read aloud at once. Shows nothing for an empty text. */
export function ErrorText({ text }: { text: string }) {
  return (
    <p class="error-text" role="alert" hidden={text === ''}>
      {text}
    </p>
  );
}
