/** Returns the folder with the files of a backup. */
export const filesFolderOf = (file: string): string => `${file}.files`;
