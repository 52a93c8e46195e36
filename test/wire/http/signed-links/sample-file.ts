import { UUID } from '../../../support/test-signed-links-server.ts';

/** Bytes of a file. */
export const BODY = 'x'.repeat(100);
/** Other bytes of the same length. */
export const OTHER = `${'x'.repeat(99)}y`;
/** The path of the file below the endpoint. */
export const PATH = `${UUID}/a.jpg`;
