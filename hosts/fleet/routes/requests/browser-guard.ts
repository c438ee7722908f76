import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ServerNames } from "../../access/server-names.ts";
import { answerRefusal } from "./answers.ts";

/**
 * Keeps other sites' pages away from everything that is registered here: a browser of somebody who
 * may reach the server sends what any page tells it to. A request must come by a name of the server
 * (else a foreign name was pointed at its address, to read answers as its own), and by no other
 * site's doing. Programs send none of what browsers add; of them only the name is asked.
 */
export function guardAgainstSites(app: FastifyInstance, names: ServerNames): void {
  app.addHook("onRequest", async (request, reply) => {
    const foreign = authoritiesOf(request).find(
      (host) => !names.has(host, request.raw.socket.localAddress),
    );
    if (foreign !== undefined) return refuseHost(request, reply, foreign);
    if (isOtherSites(request, names))
      return answerRefusal(reply, 403, {
        reason: "cross-site",
        message:
          "this request was made by a page of another site; open the server's own page, or give its address with --public-url",
      });
    return;
  });
}

/**
 * Browsers say who asks in `Sec-Fetch-Site` (W3C Fetch Metadata), in `Origin` wherever something
 * may change (Fetch 3.2), and older ones in `Referer` alone: none of the three may name another
 * site. A link to the page itself may be followed from anywhere, since nothing frames it.
 */
function isOtherSites(request: FastifyRequest, names: ServerNames): boolean {
  const { headers, method } = request;
  const isSafe = method === "GET" || method === "HEAD";
  const site = headers["sec-fetch-site"];
  const { origin, referer } = headers;
  const isOwn = (text: string): boolean =>
    names.isOrigin(text, request.protocol, hostOf(request) ?? "");
  if (origin !== undefined && !isOwn(origin)) return true;
  if (site !== undefined && site !== "same-origin" && site !== "none")
    return !(isSafe && isLink(request));
  if (site !== undefined || origin !== undefined || referer === undefined) return false;
  return !isSafe && !isOwn(originOf(referer));
}

/** Somebody followed a link to the page: it opens on its own, and nothing changes by it. */
function isLink({ headers, url }: FastifyRequest): boolean {
  const [path] = url.split("?");
  return (
    path === "/" &&
    headers["sec-fetch-mode"] === "navigate" &&
    headers["sec-fetch-dest"] === "document"
  );
}

function originOf(address: string): string {
  return URL.canParse(address) ? new URL(address).origin : "null";
}

/** The host as it was sent: what a proxy says of the name it was asked by proves nothing. */
function hostOf({ raw }: FastifyRequest): string | undefined {
  return raw.headers.host;
}

/**
 * Every name that the request asks for: a second `Host`, or another authority in its target
 * (RFC 9112, 3.2), is what somebody in between may have gone by.
 */
function authoritiesOf({ raw }: FastifyRequest): string[] {
  const hosts = raw.rawHeaders.filter(
    (_, index) => index % 2 === 1 && raw.rawHeaders[index - 1]?.toLowerCase() === "host",
  );
  const target = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(raw.url ?? "")?.[1];
  const all = target === undefined ? hosts : [...hosts, target];
  return all.length === 0 ? [""] : all;
}

function refuseHost(request: FastifyRequest, reply: FastifyReply, foreign: string): FastifyReply {
  const host = foreign.slice(0, 255);
  return answerRefusal(reply, 421, {
    reason: "foreign-host",
    message: `"${host}" is no name of this server; start it with --public-url ${request.protocol}://${host || "NAME"} if it is meant to be one`,
  });
}
