import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { Http, HttpFailure, HttpReceiver, HttpRequest } from "../../../src/ports/http.ts";

/** The Http port on Node's own client: one connection per request, no redirects. */
export const nodeHttp: Http = {
  send(request, receiver) {
    const url = URL.canParse(request.url) ? new URL(request.url) : null;
    if (url === null || !["http:", "https:"].includes(url.protocol))
      queueMicrotask(() => receiver.failed("bad-url"));
    else exchange(url, request, receiver);
  },
};

function exchange(url: URL, request: HttpRequest, receiver: HttpReceiver): void {
  const send = url.protocol === "https:" ? requestHttps : requestHttp;
  const { method, headers } = request;
  const outgoing = send(url, { method, headers, agent: false });
  let ended = false;
  const end = (failure: HttpFailure | null): void => {
    if (ended) return;
    ended = true;
    clearTimeout(timer);
    if (failure === null) receiver.done();
    else {
      outgoing.destroy();
      receiver.failed(failure);
    }
  };
  const timer = setTimeout(() => end("timeout"), request.timeoutMs);
  outgoing.on("error", () => end("connection"));
  outgoing.on("response", (response) => {
    let bodyBytes = 0;
    response.on("error", () => end("connection"));
    const head = { status: response.statusCode ?? 0, headers: new Map<string, string>() };
    for (const [name, value] of Object.entries(response.headers))
      if (value !== undefined) head.headers.set(name, String(value));
    if (!receiver.head(head)) return end("aborted");
    response.on("data", (piece: Buffer) => {
      bodyBytes += piece.length;
      if (bodyBytes > request.bodyBytesMax) end("body-too-large");
      else if (!ended && !receiver.body(piece)) end("aborted");
    });
    response.on("end", () => end(response.complete ? null : "connection"));
  });
  outgoing.end(request.body ?? undefined);
}
