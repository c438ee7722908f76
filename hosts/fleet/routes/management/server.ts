import type { FastifyInstance } from "fastify";
import type { Fleet } from "../../operations/fleet.ts";
import { answerSchema, errorResponses, time } from "../requests/common-schemas.ts";
import { typedBySchemas } from "../requests/schema-types.ts";

const serverSchema = answerSchema({
  nowUnixMs: { ...time, description: "the server's time, milliseconds since 1970" },
  simulatedTime: {
    type: "boolean",
    description: "true in a simulation: no date that the server tells is one of the real world",
  },
});

/** What the server is: whoever shows its dates must know whose time they are of. */
export function serverRoutes(fleet: Fleet, { simulatedTime }: { readonly simulatedTime: boolean }) {
  return async (app: FastifyInstance): Promise<void> => {
    typedBySchemas(app).route({
      method: "GET",
      url: "/server",
      schema: {
        operationId: "showServer",
        tags: ["server"],
        summary: "Show the server's time",
        response: { 200: serverSchema, ...errorResponses },
      },
      handler: async () => ({ nowUnixMs: fleet.clock.unixMs(), simulatedTime }),
    });
  };
}
