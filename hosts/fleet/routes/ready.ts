import type { FastifyInstance } from "fastify";
import type { Readiness } from "../operations/readiness.ts";
import { readySchema } from "./management/schemas/server.ts";
import { errorResponses } from "./requests/common-schemas.ts";
import { refuseOtherMethods } from "./requests/other-methods.ts";
import { typedBySchemas } from "./requests/schema-types.ts";

/**
 * For load balancers and probes, by any name and without a token: whether, and in a word why not.
 */
export function probeRoutes(readiness: Readiness) {
  return async (app: FastifyInstance): Promise<void> => {
    const refuseOthers = refuseOtherMethods(app);
    app.get("/ready", { schema: { hide: true } }, async (_, reply) => {
      const reasons = (await readiness.check()).map(({ reason }) => reason);
      return reply
        .code(reasons.length === 0 ? 200 : 503)
        .header("cache-control", "no-store")
        .send({ ready: reasons.length === 0, reasons });
    });
    refuseOthers();
  };
}

/** The same for operators, with what to do about it. */
export function readyRoutes(readiness: Readiness) {
  return async (app: FastifyInstance): Promise<void> => {
    typedBySchemas(app).route({
      method: "GET",
      url: "/ready",
      schema: {
        operationId: "showReadiness",
        tags: ["server"],
        summary: "Show whether devices would be served whole, and why not",
        response: { 200: readySchema, ...errorResponses },
      },
      handler: async () => {
        const problems = await readiness.check();
        return { ready: problems.length === 0, problems };
      },
    });
  };
}
