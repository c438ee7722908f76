import type { FastifyInstance, FastifyReply } from "fastify";
import type { JsonObject } from "../../../../src/protocol/json.ts";
import type { Fleet } from "../../operations/fleet.ts";
import {
  type GroupWindows,
  removeGroupWindows,
  setGroupWindows,
  windowsOfRow,
} from "../../operations/group-windows.ts";
import { findGroupWindows, listGroupWindows } from "../../storage/windows.ts";
import { answerNothing, answerPage, answerRefusal, pageLimit } from "../requests/answers.ts";
import { errorResponses, nothing, pageSchema } from "../requests/common-schemas.ts";
import { typedBySchemas } from "../requests/schema-types.ts";
import {
  type GroupWindowsAnswer,
  groupParameters,
  groupWindowsSchema,
  newWindowsSchema,
  windowsQuery,
} from "./schemas/windows.ts";

/** Windows of groups, which every rollout respects. */
export function windowRoutes(fleet: Fleet) {
  return async (app: FastifyInstance): Promise<void> => {
    typedBySchemas(app).route({
      method: "GET",
      url: "/windows",
      schema: {
        operationId: "listWindows",
        tags: ["windows"],
        summary: "List the groups that have windows, by name",
        querystring: windowsQuery,
        response: { 200: pageSchema(groupWindowsSchema), ...errorResponses },
      },
      handler: async (request, reply) => {
        const limit = pageLimit(request.query.limit);
        const { after = "" } = request.query;
        const all = await listGroupWindows(fleet.database.queries);
        return answerPage(reply, {
          rows: all.filter(({ device_group: group }) => group > after).slice(0, limit),
          limit,
          cursorOf: ({ device_group: group }) => group,
          view: (row) => viewOf(windowsOfRow(row)),
          schema: groupWindowsSchema,
        });
      },
    });
    typedBySchemas(app).route({
      method: "PUT",
      url: "/windows/:group",
      schema: {
        operationId: "setWindows",
        tags: ["windows"],
        summary: "Set when devices of a group may download and install, in every rollout",
        description: "The document takes the place of the one before.",
        params: groupParameters,
        body: newWindowsSchema,
        response: { 200: groupWindowsSchema, 201: groupWindowsSchema, ...errorResponses },
      },
      handler: async (request, reply) => {
        const document = request.body as JsonObject;
        const set = await setGroupWindows(fleet, request.params.group, document);
        if (!set.ok) return answerRefusal(reply, statuses[set.reason], set);
        reply.code(set.created ? 201 : 200);
        return viewOf(set.windows);
      },
    });
    oneGroup(app, fleet);
  };
}

function oneGroup(app: FastifyInstance, fleet: Fleet): void {
  typedBySchemas(app).route({
    method: "GET",
    url: "/windows/:group",
    schema: {
      operationId: "showWindows",
      tags: ["windows"],
      summary: "Show the windows of a group",
      params: groupParameters,
      response: { 200: groupWindowsSchema, ...errorResponses },
    },
    handler: async (request, reply) => {
      const { group } = request.params;
      const row = await findGroupWindows(fleet.database.queries, group);
      return row === undefined ? noWindowsOf(reply, group) : viewOf(windowsOfRow(row));
    },
  });
  typedBySchemas(app).route({
    method: "DELETE",
    url: "/windows/:group",
    schema: {
      operationId: "removeWindows",
      tags: ["windows"],
      summary: "Take the windows of a group away: those of each rollout count again",
      params: groupParameters,
      response: { 204: nothing, ...errorResponses },
    },
    handler: async (request, reply) => {
      const { group } = request.params;
      return (await removeGroupWindows(fleet, group))
        ? answerNothing(reply)
        : noWindowsOf(reply, group);
    },
  });
}

const statuses = { "windows-invalid": 422, "too-many-windows": 403 } as const;

function viewOf(windows: GroupWindows): GroupWindowsAnswer {
  return { ...windows, windows: { ...windows.windows } };
}

function noWindowsOf(reply: FastifyReply, group: string): FastifyReply {
  const message = `the group ${group} has no windows of its own; GET /api/v1/windows lists those that have`;
  return answerRefusal(reply, 404, { reason: "unknown-windows", message });
}
