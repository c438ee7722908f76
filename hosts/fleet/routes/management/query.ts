import type { FastifyInstance } from "fastify";
import { listQuery } from "../requests/common-schemas.ts";

/**
 * Every route of this scope that is registered from now on, and names no parameters in its query,
 * takes none: one that is misspelt, or meant for another route, is refused and not passed over.
 */
export function refuseUnknownParameters(app: FastifyInstance): void {
  app.addHook("onRoute", (route) => {
    if (route.schema?.hide === true || route.schema?.querystring !== undefined) return;
    route.schema = { ...route.schema, querystring: listQuery({}) };
  });
}
