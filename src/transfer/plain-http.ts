import type { Http } from "../ports/http.ts";

/**
 * Refuses plain HTTP with `http-not-allowed` before anything is sent, but to this machine itself:
 * 127.0.0.0/8 as a number, since whoever answers for names could call another machine `localhost`.
 */
export function withoutPlainHttp(http: Http): Http {
  return {
    send(request, receiver) {
      if (isPlain(request.url)) receiver.failed("http-not-allowed");
      else http.send(request, receiver);
    },
  };
}

function isPlain(url: string): boolean {
  return /^http:/i.test(url) && !/^http:\/\/127\.\d{1,3}\.\d{1,3}\.\d{1,3}(?:[:/?]|$)/i.test(url);
}
