import type { FastifyInstance, preParsingHookHandler } from "fastify";
import { cutText } from "../../terms/texts.ts";
import { error } from "./common-schemas.ts";

const withBodies = ["POST", "PUT", "PATCH", "DELETE"];
const shownCharactersMax = 60;

/**
 * The body is compressed, or coded in another way, by itself or for its way (RFC 9112, 7): nobody
 * here decodes it (RFC 9110, 15.5.16).
 */
export class CodedBodyError extends Error {
  override readonly name = "CodedBodyError";
  readonly statusCode = 415;
  readonly code = "CODED_BODY";

  constructor(coding: string) {
    const shown = cutText(coding, shownCharactersMax);
    super(`the body is in the coding "${shown}": send it as it is`);
  }
}

/**
 * Refuses coded bodies on every route that reads one, before any byte of them is taken for what it
 * stands for. Called first in the server.
 */
export function refuseCodedBodies(app: FastifyInstance): void {
  app.addHook("onRoute", (route) => {
    if (![route.method].flat().some((method) => withBodies.includes(method))) return;
    route.preParsing = [refuseCoded, ...[route.preParsing ?? []].flat()];
  });
}

const refuseCoded: preParsingHookHandler = (request, reply, _, done) => {
  const { "content-encoding": content = "", "transfer-encoding": transfer = "" } = request.headers;
  const isPlain = isOnly(content, "identity");
  if (isPlain && isOnly(transfer, "chunked")) return done();
  reply.header("accept-encoding", "identity");
  done(new CodedBodyError(isPlain ? transfer : content));
};

/** An empty member of a list stands for nothing (RFC 9110, 5.6.1). */
function isOnly(list: string, coding: "identity" | "chunked"): boolean {
  return list.split(",").every((member) => ["", coding].includes(member.trim().toLowerCase()));
}

/** What the document of the API says of it. */
export const codedBodyResponse = {
  description: "The body is compressed, or of a type that is not read here: send it as it is",
  ...error,
  headers: {
    "accept-encoding": { type: "string", description: "`identity`, when its coding is refused" },
  },
} as const;
