/** The payload that a program posted to a hook. */
export interface WebhookEvent {
  /** Parsed JSON, the fields of a form, or a text. */
  readonly payload: unknown;
  /** Event name from a header such as `X-GitHub-Event`. */
  readonly eventName?: string | undefined;
}

/** Paths of the fields in a generic payload: a JSON pointer (`/a/0/b`) or dotted (`a.0.b`). Null = common names. */
export interface FieldPaths {
  readonly title: string | null;
  readonly text: string | null;
  readonly link: string | null;
  readonly image: string | null;
  readonly username: string | null;
}

export interface FormatOptions {
  /** Whether the end of a problem is reported. */
  readonly resolved: 'show' | 'hide';
  readonly fields: FieldPaths;
}

/** The message for an event. */
export interface HookMessage {
  /** Text with XEP-0393 styling. */
  readonly text: string;
  /** URLs of images in the payload. */
  readonly images: readonly string[];
  /** The sender name that the payload requests. */
  readonly username?: string | undefined;
  /** The channel that the payload requests. */
  readonly channel?: string | undefined;
}

/**
 * Parses the payload of one program and leaves out missing and unexpected parts. Returns undefined if the event needs
 * no message. Refuses with `bad_request` if the payload is not from this program.
 */
export type HookFormat = (call: WebhookEvent, options: FormatOptions) => HookMessage | undefined;

/** Limit of images per event; the others are left out. */
export const MAX_IMAGES = 4;
