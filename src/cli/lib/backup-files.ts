/** Returns the folder with the files of a backup. `file`: the path of its database. */
export const filesFolderOf = (file: string): string => `${file}.files`;
