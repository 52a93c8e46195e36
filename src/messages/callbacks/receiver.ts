import type { Element } from '@xmpp/xml';
import type { Clock } from '../../base/clock.ts';
import { networkErrorReason } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { HttpClient, HttpClientResponse } from './http-client.ts';
import { type CallbackResult, interpretResponse, unreachableResult } from './reply.ts';
import {
  type CallbackRules,
  createFormatRequest,
  createStanzaRequest,
  parseAcceptedFormat,
  type StanzaFormat,
} from './request.ts';

export interface ReceiverServices {
  readonly httpClient: HttpClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** JID of the component. Fills `{to}` and `{from}` in the URL when the receiver is asked for its format. */
  readonly componentJid: string;
}

const NOT_ACCEPTED =
  'the callback receiver does not accept stanzas: check messages.callback_url and the server behind it. Messages and presences are ' +
  'queued and posted again; iqs are answered with an error';

/** The HTTP server behind the callback URL: its format, and whether it is failing. */
export class CallbackReceiver {
  readonly #services: ReceiverServices;
  #format: { readonly url: string; readonly format: StanzaFormat } | undefined;
  #isFailing = false;

  constructor(services: ReceiverServices) {
    this.#services = services;
  }

  /** Posts a stanza once. Never rejects because of the receiver or the network. */
  async post(
    rules: CallbackRules,
    stanza: Element,
    delivery: string,
    signal: AbortSignal,
  ): Promise<CallbackResult> {
    const response = await this.#fetch(rules, stanza, delivery, signal);
    if (response === undefined) return unreachableResult(stanza);
    const result = interpretResponse(stanza, response, this.#services.clock());
    this.#logChange(result.mayRetry, response.status);
    return result;
  }

  async #fetch(
    rules: CallbackRules,
    stanza: Element,
    delivery: string,
    signal: AbortSignal,
  ): Promise<HttpClientResponse | undefined> {
    const { httpClient, clock } = this.#services;
    const logFailure = (error: unknown) => this.#logChange(true, networkErrorReason(error));
    const format = await this.#getFormat(rules, signal).catch(logFailure);
    if (!format) return undefined;
    const request = createStanzaRequest(rules, { stanza, format, delivery, now: clock() });
    const limits = { maxBytes: rules.maxSize, signal };
    return (await httpClient(request, limits).catch(logFailure)) ?? undefined;
  }

  /** Returns the format that the receiver prefers. Asks once per URL; after a network error, asks again next time. */
  async #getFormat(rules: CallbackRules, signal: AbortSignal): Promise<StanzaFormat> {
    if (this.#format?.url === rules.url) return this.#format.format;
    const { httpClient, clock, componentJid } = this.#services;
    const request = createFormatRequest(rules, componentJid, clock());
    const response = await httpClient(request, { maxBytes: rules.maxSize, signal });
    const preferred =
      response.status === 200 ? parseAcceptedFormat(response.header('accept') ?? '') : undefined;
    this.#format = { url: rules.url, format: preferred ?? rules.format };
    return this.#format.format;
  }

  /** Logs only changes: an unreachable receiver would fill the log otherwise. */
  #logChange(isFailing: boolean, reason: string | number): void {
    if (isFailing === this.#isFailing) return;
    this.#isFailing = isFailing;
    const { log } = this.#services;
    if (isFailing) log.warn({ reason }, NOT_ACCEPTED);
    else log.info('the callback receiver accepts stanzas');
  }
}
