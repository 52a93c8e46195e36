/** The cache in which the worker keeps shared files until the page uploads them. */
export const SHARE_CACHE = 'porter-shared-files';
