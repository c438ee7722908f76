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
  return new Promise((resolve) => {
    const parts: Uint8Array[] = [];
    let head: HttpHead = { status: 0, headers: new Map() };
    let refused = false;
    http.send(request, {
      head(received) {
        head = received;
        refused = received.status < 200 || received.status > 299;
        return !refused;
      },
      body(bytes) {
        parts.push(bytes.slice());
        return true;
      },
      done: () => resolve({ ok: true, head, body: joined(parts) }),
      failed(failure) {
        resolve(refused ? { ok: true, head, body: joined([]) } : { ok: false, failure });
      },
    });
  });
}

/**
 * Lets one exchange run at a time; a small device has no memory for two. Whatever the client below
 * does, each exchange ends exactly once: one that throws counts as a connection that failed, and
 * the next has its turn.
 */
export function oneAtATime(http: Http, log: Log): Http {
  let last: Promise<void> = Promise.resolve();
  return {
    send(request, receiver) {
      last = last.then(() => sendAlone(http, request, receiver, log));
    },
  };
}

function sendAlone(
  http: Http,
  request: HttpRequest,
  receiver: HttpReceiver,
  log: Log,
): Promise<void> {
  return new Promise((release) => {
    let ended = false;
    const end = (tell: () => void): void => {
      if (ended) return;
      ended = true;
      release();
      tell();
    };
    try {
      http.send(request, {
        head: (head) => !ended && receiver.head(head),
        body: (bytes) => !ended && receiver.body(bytes),
        done: () => end(() => receiver.done()),
        failed: (failure) => end(() => receiver.failed(failure)),
      });
    } catch (error) {
      log.write("error", `${request.method} ${request.url} not sent: ${String(error)}`);
      end(() => receiver.failed("connection"));
    }
  });
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
  if (isOf(text, digits, 1, 12)) return Math.min(Number(text) * 1000, retryAfterMsMax);
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
