import type { FastifyInstance } from "fastify";
import type { Fleet } from "../../operations/fleet.ts";
import type { PreviewRefusal } from "../../operations/preview.ts";
import { previewScan } from "../../operations/preview-scan.ts";
import { answerRefusal } from "../requests/answers.ts";
import { errorResponses } from "../requests/common-schemas.ts";
import { typedBySchemas } from "../requests/schema-types.ts";
import { readNewRollout } from "./new-rollout.ts";
import { previewBodySchema, previewForms, previewSchema } from "./schemas/preview.ts";

export function previewRoutes(fleet: Fleet, pollSeconds: number) {
  return async (app: FastifyInstance): Promise<void> => {
    typedBySchemas(app).route({
      method: "POST",
      url: "/rollouts/preview",
      config: { documentedBody: previewForms() },
      schema: {
        operationId: "previewRollout",
        tags: ["rollouts"],
        summary: "Say what a rollout would do, and do nothing",
        body: previewBodySchema,
        response: { 200: previewSchema, ...errorResponses },
      },
      handler: async (request, reply) => {
        const read = await readNewRollout(fleet, {
          ...request.body,
          name: "preview",
          start: false,
        });
        if (!read.ok) return answerRefusal(reply, read.status, read);
        const nowUnixMs = fleet.clock.unixMs();
        const question = { wanted: read.wanted, nowUnixMs, pollSeconds };
        const result = await fleet.scans.ask(fleet.database, previewScan, question);
        return result.ok ? result.preview : answerRefusal(reply, statuses[result.reason], result);
      },
    });
  };
}

const statuses: Readonly<Record<PreviewRefusal, number>> = {
  "unknown-release": 404,
  "policy-invalid": 422,
  "filter-invalid": 422,
  "too-many-groups": 422,
};
