import { digits, type Part, partsAtStart } from "../image/text-parts.ts";
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

const number: Part = [digits, 1, 3];
const ownAddress: readonly Part[] = ["http://127.", number, ".", number, ".", number];
/** `http://127.255.255.255` and what follows. */
const schemeAndAddressCharactersMax = 24;

function isPlain(url: string): boolean {
  const lowerCase = url.slice(0, schemeAndAddressCharactersMax).toLowerCase();
  if (!lowerCase.startsWith("http:")) return false;
  const own = partsAtStart(lowerCase, ownAddress);
  return own === null || !["", ":", "/", "?"].includes(lowerCase.charAt(own.length));
}
