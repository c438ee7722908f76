import type { FastifyInstance } from "fastify";
import type { Fleet } from "../../operations/fleet.ts";
import { listEvents, type StoredEvent } from "../../storage/events.ts";
import { answerPage, pageLimit } from "../requests/answers.ts";
import { errorResponses, pageSchema } from "../requests/common-schemas.ts";
import { typedBySchemas } from "../requests/schema-types.ts";
import { type EventAnswer, eventSchema, eventsQuery } from "./schemas/events.ts";

export function eventRoutes(fleet: Fleet) {
  return async (app: FastifyInstance): Promise<void> => {
    typedBySchemas(app).route({
      method: "GET",
      url: "/events",
      schema: {
        operationId: "listEvents",
        tags: ["events"],
        summary: "What happened, oldest first",
        description:
          "Ask again with the id of the last event as `after` to follow the stream; the oldest events are dropped.",
        querystring: eventsQuery,
        response: { 200: pageSchema(eventSchema), ...errorResponses },
      },
      handler: async (request, reply) => {
        const limit = pageLimit(request.query.limit);
        const { device } = request.query;
        const rows = await listEvents(fleet.database.queries, {
          after: Number(request.query.after ?? 0),
          limit,
          ...(device === undefined ? {} : { deviceId: device }),
        });
        const cursorOf = ({ id }: StoredEvent): string => String(id);
        return answerPage(reply, { rows, limit, cursorOf, view: eventView, schema: eventSchema });
      },
    });
  };
}

export function eventView(event: StoredEvent): EventAnswer {
  return {
    id: event.id,
    atUnixMs: event.at,
    kind: event.kind,
    deviceId: event.device_id,
    rolloutId: event.rollout_id,
    releaseVersion: event.release_version,
    deviceEventId: event.device_event_id,
    details: JSON.parse(event.details),
  };
}
