import { digits, isOf } from "../image/text-parts.ts";
import type { Log } from "../ports/board.ts";
import type { Http, HttpFailure, HttpHead, HttpReceiver, HttpRequest } from "../ports/http.ts";
import { parseHttpDate } from "../protocol/http-date.ts";

export type Answer =
  | { readonly ok: true; readonly head: HttpHead; readonly body: Uint8Array }
  | { readonly ok: false; readonly failure: HttpFailure };

/**
 * Sends one request and collects the body of a 2xx answer, which `request.bodyBytesMax` bounds. The
 * body of any other answer is for people: it is not read, so that a long error page cannot hide its
 * status.
 */
export function exchange(http: Http, request: HttpRequest): Promise<Answer> {
  return new Promise((resolve) => http.send(request, new AnswerReceiver(resolve)));
}

/**
 * A class, as all that waits for an answer: methods on a prototype take no slots of XS, closures
 * do.
 */
class AnswerReceiver implements HttpReceiver {
  readonly #resolve: (answer: Answer) => void;
  readonly #parts: Uint8Array[] = [];
  #head: HttpHead | null = null;

  constructor(resolve: (answer: Answer) => void) {
    this.#resolve = resolve;
  }

  head(head: HttpHead): boolean {
    this.#head = head;
    return !isRefused(head);
  }

  body(bytes: Uint8Array): boolean {
    this.#parts.push(bytes.slice());
    return true;
  }

  done(): void {
    this.#resolve({
      ok: true,
      head: this.#head ?? { status: 0, headers: new Map() },
      body: joined(this.#parts),
    });
  }

  failed(failure: HttpFailure): void {
    const head = this.#head;
    this.#resolve(
      head !== null && isRefused(head)
        ? { ok: true, head, body: joined([]) }
        : { ok: false, failure },
    );
  }
}

function isRefused({ status }: HttpHead): boolean {
  return status < 200 || status > 299;
}

/**
 * Lets one exchange run at a time; a small device has no memory for two. Whatever the client below
 * does, each exchange ends exactly once: one that throws counts as a connection that failed, and
 * the next has its turn.
 */
export function oneAtATime(http: Http, log: Log): Http {
  return new Turns(http, log);
}

/** Bounded by who asks: each asks for the next thing when the last one has ended. */
class Turns implements Http {
  readonly #http: Http;
  readonly #log: Log;
  readonly #waiting: { readonly request: HttpRequest; readonly receiver: HttpReceiver }[] = [];
  #busy = false;

  constructor(http: Http, log: Log) {
    this.#http = http;
    this.#log = log;
  }

  send(request: HttpRequest, receiver: HttpReceiver): void {
    this.#waiting.push({ request, receiver });
    if (this.#busy) return;
    this.#busy = true;
    this.passOn();
  }

  /** Not at once: who asked, or was told, comes to its end first. */
  passOn(): void {
    void Promise.resolve().then(() => this.#next());
  }

  #next(): void {
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#busy = false;
      return;
    }
    const { request, receiver } = next;
    const turn = new Turn(this, receiver);
    try {
      this.#http.send(request, turn);
    } catch (error) {
      this.#log.write("error", `${request.method} ${request.url} not sent: ${String(error)}`);
      turn.failed("connection");
    }
  }
}

class Turn implements HttpReceiver {
  readonly #turns: Turns;
  /** Null from its end on. */
  #receiver: HttpReceiver | null;

  constructor(turns: Turns, receiver: HttpReceiver) {
    this.#turns = turns;
    this.#receiver = receiver;
  }

  head(head: HttpHead): boolean {
    return this.#receiver?.head(head) ?? false;
  }

  body(bytes: Uint8Array): boolean {
    return this.#receiver?.body(bytes) ?? false;
  }

  done(): void {
    this.#ended()?.done();
  }

  failed(failure: HttpFailure): void {
    this.#ended()?.failed(failure);
  }

  /** The next has its turn, also when the receiver throws. */
  #ended(): HttpReceiver | null {
    const receiver = this.#receiver;
    this.#receiver = null;
    if (receiver !== null) this.#turns.passOn();
    return receiver;
  }
}

const retryAfterMsMax = 3_600_000;

/**
 * How long a `Retry-After` header says to wait, at most an hour: in seconds, or until a date, which
 * is held against the server's own `Date` and, without one, against the device's clock. Null for
 * none, and for a date where nobody knows the time.
 */
export function retryAfterMs(head: HttpHead): number | null {
  const text = head.headers.get("retry-after");
  if (text === undefined) return null;
  // However many digits: a number beyond all is more than an hour too.
  if (isOf(text, digits, 1, text.length)) return Math.min(Number(text) * 1000, retryAfterMsMax);
  const untilMs = parseHttpDate(text);
  const nowMs = parseHttpDate(head.headers.get("date") ?? "") ?? head.unixMs ?? null;
  if (untilMs === null || nowMs === null) return null;
  return Math.min(Math.max(0, untilMs - nowMs), retryAfterMsMax);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offsetBytes = 0;
  for (const part of parts) {
    whole.set(part, offsetBytes);
    offsetBytes += part.length;
  }
  return whole;
}
