import type { FastifyInstance } from "fastify";
import { timeZoneDatabase } from "../../../time-zones/database-clock.ts";
import type { Fleet } from "../../operations/fleet.ts";
import { errorResponses } from "../requests/common-schemas.ts";
import { typedBySchemas } from "../requests/schema-types.ts";
import { serverSchema } from "./schemas/server.ts";

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
      handler: async () => ({
        nowUnixMs: fleet.clock.unixMs(),
        simulatedTime,
        timeZoneDatabase,
      }),
    });
  };
}
