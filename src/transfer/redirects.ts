import type { Http, HttpFailure, HttpHead, HttpReceiver, HttpRequest } from "../ports/http.ts";
import { type HttpAddress, parseHttpAddress } from "../protocol/http-address.ts";
import { runningHeader } from "../protocol/running.ts";

/** 303 asks for the same with GET, which is what is asked with. */
const redirects: readonly number[] = [301, 302, 303, 307, 308];
/** Who the device is, and what it runs, is for the server that it asked alone. */
const ownHeaders: readonly string[] = ["authorization", runningHeader];

/**
 * Follows one redirect of a GET: to the host that was asked, or to one of `hosts`, never from
 * https to http. Any other, and a second one, ends as `redirect-refused`. Another scheme, host or
 * port hears neither the token nor what runs.
 */
export function followingRedirect(http: Http, hosts: readonly string[]): Http {
  return {
    send(request, receiver) {
      http.send(
        request,
        request.method === "GET"
          ? new RedirectReceiver(receiver, (location) => {
              const next = redirected(request, location, hosts);
              if (next === null) receiver.failed("redirect-refused");
              else http.send(next, new RedirectReceiver(receiver, null));
            })
          : receiver,
      );
    },
  };
}

class RedirectReceiver implements HttpReceiver {
  readonly #receiver: HttpReceiver;
  /**
   * Called in place of the end of an exchange that was answered with a redirect; null refuses it.
   */
  readonly #moved: ((location: string) => void) | null;
  #location: string | null = null;

  constructor(receiver: HttpReceiver, moved: ((location: string) => void) | null) {
    this.#receiver = receiver;
    this.#moved = moved;
  }

  head(head: HttpHead): boolean {
    const location = head.headers.get("location");
    if (!redirects.includes(head.status) || location === undefined)
      return this.#receiver.head(head);
    this.#location = location;
    return false;
  }

  body(bytes: Uint8Array): boolean {
    return this.#receiver.body(bytes);
  }

  done(): void {
    this.#receiver.done();
  }

  failed(failure: HttpFailure): void {
    if (this.#location === null) this.#receiver.failed(failure);
    else if (this.#moved === null) this.#receiver.failed("redirect-refused");
    else this.#moved(this.#location);
  }
}

function redirected(
  request: HttpRequest,
  location: string,
  hosts: readonly string[],
): HttpRequest | null {
  const from = parseHttpAddress(request.url);
  const url = from.ok ? resolved(from, location) : "";
  const to = parseHttpAddress(url);
  if (!from.ok || !to.ok || (from.isSecure && !to.isSecure)) return null;
  const isKnown = hosts.some((host) => host.toLowerCase() === to.host);
  if (to.host !== from.host && !isKnown) return null;
  const isSameOrigin =
    to.host === from.host && to.port === from.port && to.isSecure === from.isSecure;
  const headers = Object.entries(request.headers).filter(
    ([name]) => isSameOrigin || !ownHeaders.includes(name.toLowerCase()),
  );
  return { ...request, url, headers: Object.fromEntries(headers) };
}

/** A reference to where it leads (RFC 3986, 5.2), without its fragment. */
function resolved(from: HttpAddress, reference: string): string {
  const [location = ""] = reference.split("#");
  const scheme = from.isSecure ? "https:" : "http:";
  const [path = ""] = from.path.split("?");
  const origin = `${scheme}//${from.host}:${from.port}`;
  if (hasScheme(location)) return withoutDots(location);
  if (location.startsWith("//")) return withoutDots(`${scheme}${location}`);
  if (location.startsWith("/")) return withoutDots(`${origin}${location}`);
  if (location === "") return `${origin}${from.path}`;
  if (location.startsWith("?")) return `${origin}${path}${location}`;
  return withoutDots(`${origin}${path.slice(0, path.lastIndexOf("/") + 1)}${location}`);
}

/** Whether a colon stands in its first part: `a:b` is no path. */
function hasScheme(location: string): boolean {
  const [[first = ""] = []] = location.split("?").map((part) => part.split("/"));
  return first.includes(":");
}

/**
 * The path of an absolute address without its `.` and `..`; those beyond the root are dropped
 * (5.2.4).
 */
function withoutDots(url: string): string {
  const [before = "", ...query] = url.split("?");
  const [scheme = "", empty = "", authority = "", ...parts] = before.split("/");
  const kept: string[] = [];
  for (const [index, part] of parts.entries()) {
    const isDots = part === "." || part === "..";
    if (part === "..") kept.pop();
    if (!isDots) kept.push(part);
    else if (index === parts.length - 1) kept.push("");
  }
  const path = [scheme, empty, authority, ...kept].join("/");
  return [path, ...query].join("?");
}
