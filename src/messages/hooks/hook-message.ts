/** What a program posted to a hook, read by the door. */
export interface WebhookEvent {
  /** Parsed JSON or a form's fields; a text where the body was one. */
  readonly payload: unknown;
  /** What happened, where a header says so (`X-GitHub-Event` and its like). */
  readonly eventName?: string | undefined;
}

/** Where a generic payload has what; a path is a JSON pointer (`/a/0/b`) or dotted (`a.0.b`). Null = looked for. */
export interface FieldPaths {
  readonly title: string | null;
  readonly text: string | null;
  readonly link: string | null;
  readonly image: string | null;
  readonly username: string | null;
}

export interface FormatOptions {
  /** Is the end of a problem worth a message? */
  readonly resolved: 'show' | 'hide';
  readonly fields: FieldPaths;
}

/** What is to be told of a call. */
export interface HookMessage {
  /** Plain text with XEP-0393 styling of ours. */
  readonly text: string;
  /** URLs of pictures that belong to it, as the payload names them. */
  readonly images: readonly string[];
  /** In whose name the program wants to speak. */
  readonly username?: string | undefined;
  /** Where it wants to speak. */
  readonly channel?: string | undefined;
}

/**
 * Reads one program's payload; whatever is missing or odd in it is left out. Undefined where it is nothing to tell.
 * Refuses with `bad_request` what is not of its form at all.
 */
export type HookFormat = (call: WebhookEvent, options: FormatOptions) => HookMessage | undefined;

/** Pictures of one call; what is named beyond is left out. */
export const MAX_IMAGES = 4;
