/** Name of the file or object, in the root of the store, that holds its identity. It is not a blob key. */
export const MARKER_NAME = 'porter-store-id';

/** Returns the content of the marker. */
export function formatMarker(id: string): string {
  return `${id}\nThis file ties the stored files to the database of Porter. Do not change or remove it.\n`;
}

/** Returns the id in a marker. A damaged marker gives a text that equals no id. */
export function parseMarker(text: string): string {
  return text.split('\n', 1)[0]?.trim() ?? '';
}
