/** The request that a program sent to a hook. */
export interface WebhookEvent {
  /** Parsed JSON, the fields of a form, or a text. */
  readonly payload: unknown;
  /** Returns a request header by its name in lower case. */
  readonly header: (name: string) => string | undefined;
  /** Returns the first value of a parameter of the query. */
  readonly query: (name: string) => string | undefined;
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
 * no message. Throws `Refusal` (`bad_request`) if the payload is not from this program.
 */
export type HookFormat = (event: WebhookEvent, options: FormatOptions) => HookMessage | undefined;

/** The answer that a program expects from the service whose requests it imitates. */
export interface HookAnswer {
  readonly status: number;
  readonly type?: 'text/plain; charset=utf-8' | 'application/json; charset=utf-8';
  readonly body: string;
}

/** How the requests of one program are recognized, read and answered. */
export interface HookProgram {
  readonly parse: HookFormat;
  /** Returns true if the request comes from this program. Used for `format: auto`, which ignores programs without it. */
  readonly recognizes?: (event: WebhookEvent) => boolean;
  /** Replaces Porter's own answer after success. */
  readonly answer?: (event: WebhookEvent, messageId: string) => HookAnswer;
}

/** Limit of images per event; the others are left out. */
const MAX_IMAGES = 4;

/** Returns up to `MAX_IMAGES` different URLs, without empty ones. */
export function selectImages(urls: readonly string[]): string[] {
  return [...new Set(urls.filter((url) => url !== ''))].slice(0, MAX_IMAGES);
}
