import type { Http, HttpFailure, HttpHead, HttpRequest } from "../ports/http.ts";

export type Answer =
  | { readonly ok: true; readonly head: HttpHead; readonly body: Uint8Array }
  | { readonly ok: false; readonly failure: HttpFailure };

/** Sends one request and collects its body, which `request.bodyBytesMax` bounds. */
export function exchange(http: Http, request: HttpRequest): Promise<Answer> {
  return new Promise((resolve) => {
    const parts: Uint8Array[] = [];
    let head: HttpHead = { status: 0, headers: new Map() };
    http.send(request, {
      head(received) {
        head = received;
        return true;
      },
      body(bytes) {
        parts.push(bytes.slice());
        return true;
      },
      done: () => resolve({ ok: true, head, body: joined(parts) }),
      failed: (failure) => resolve({ ok: false, failure }),
    });
  });
}

/** Lets one exchange run at a time; a small device has no memory for two. */
export function oneAtATime(http: Http): Http {
  let last: Promise<void> = Promise.resolve();
  return {
    send(request, receiver) {
      last = last.then(
        () =>
          new Promise((release) => {
            http.send(request, {
              head: (head) => receiver.head(head),
              body: (bytes) => receiver.body(bytes),
              done() {
                release();
                receiver.done();
              },
              failed(failure) {
                release();
                receiver.failed(failure);
              },
            });
          }),
      );
    },
  };
}

/** Seconds of a `Retry-After` header as milliseconds, at most an hour; null for none or for a date. */
export function retryAfterMs(head: HttpHead): number | null {
  const text = head.headers.get("retry-after");
  if (text === undefined || !/^\d{1,6}$/.test(text)) return null;
  return Math.min(Number(text), 3600) * 1000;
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
