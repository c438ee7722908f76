import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from "fastify";
import { answerRefusal } from "./answers.ts";

/** Ends the request; the `Allow` of RFC 9110, 10.2.1, is set already. */
type Refuse = (
  request: FastifyRequest,
  reply: FastifyReply,
  allowed: readonly string[],
) => FastifyReply;

/**
 * Answers 405 with `Allow` for every method that a path of this scope does not know, before the
 * body is looked at. Called first in a scope; what it returns is called last, when the scope has
 * all of its routes.
 */
export function refuseOtherMethods(app: FastifyInstance, refuse: Refuse = refused): () => void {
  const methodsOf = new Map<string, Set<string>>();
  app.addHook("onRoute", ({ routePath, method }) => {
    const methods = methodsOf.get(routePath) ?? new Set();
    for (const name of [method].flat()) methods.add(name);
    methodsOf.set(routePath, methods);
  });
  return () => {
    for (const [url, known] of [...methodsOf]) {
      const allowed = [...known].sort();
      app.route({
        method: app.supportedMethods.filter((name) => !known.has(name)) as HTTPMethods[],
        url,
        schema: { hide: true },
        onRequest: async (request, reply) =>
          refuse(request, reply.header("allow", allowed.join(", ")), allowed),
        handler: (_, reply) => reply, // the hook answered
      });
    }
  };
}

function refused(
  request: FastifyRequest,
  reply: FastifyReply,
  allowed: readonly string[],
): FastifyReply {
  return answerRefusal(reply, 405, {
    reason: "method-not-allowed",
    message: `${request.method} is not answered here: use ${allowed.join(" or ")}`,
  });
}
