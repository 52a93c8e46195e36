/** Types for the parts of xmpp.js 0.13 that Porter uses; the packages have none. Taken from their sources. */

declare module '@xmpp/xml' {
  import type { EventEmitter } from 'node:events';

  type Child = Element | string;
  type Attributes = Record<string, string | undefined>;

  class Element {
    constructor(name: string, attrs?: Attributes);
    name: string;
    attrs: Attributes;
    parent: Element | null;
    children: Child[];
    /** Its name without a prefix. */
    getName(): string;
    /** Its namespace, inherited or its own. */
    getNS(): string | undefined;
    is(name: string, xmlns?: string): boolean;
    getChild(name: string, xmlns?: string): Element | undefined;
    getChildren(name: string, xmlns?: string): Element[];
    getChildElements(): Element[];
    getText(): string;
    append(...children: Child[]): void;
    toString(): string;
  }

  /** A string for the attributes is the namespace. */
  function xml(name: string, attrs?: Attributes | string, ...children: readonly Child[]): Element;
  namespace xml {
    const Element: new (name: string, attrs?: Attributes) => Element;
    function escapeXML(text: string): string;
    function escapeXMLText(text: string): string;
    /** Not linear: only for tests. Emits `start` (the root), `element` for each child of it, `end` and `error`. */
    class Parser extends EventEmitter {
      write(text: string): void;
    }
  }
  export default xml;
  export type { Element };
}

declare module '@xmpp/component-core' {
  import type { EventEmitter } from 'node:events';
  import type { Socket } from 'node:net';
  import type { Element } from '@xmpp/xml';

  interface ComponentOptions {
    /** `xmpp://host:port` */
    readonly service: string;
    readonly domain: string;
  }

  /** XEP-0114. Emits `stanza` (Element), `error` (Error) and, when its socket is closed, `disconnect`. */
  export class Component extends EventEmitter {
    constructor(options: ComponentOptions);
    /** Emits `start` (the stream header), `element` for each child of it, and `end`. */
    protected Parser: new () => EventEmitter & { write(text: string): void };
    /** Milliseconds for each answer of the handshake. */
    timeout: number;
    socket: Socket | null;
    parser: object | null;
    connect(service: string): Promise<void>;
    /** The server's stream header. */
    open(options: { readonly domain: string }): Promise<Element>;
    authenticate(id: string, secret: string): Promise<void>;
    send(element: Element): Promise<void>;
    write(text: string): Promise<void>;
    protected _onData(data: Buffer | string): void;
    protected _end(): Promise<void>;
    protected _onSeeOtherHost(error: Error): Promise<void>;
  }
}
