import type { FastifyInstance } from "fastify";
import type { Fleet } from "../../operations/fleet.ts";
import type { Rollout } from "../../operations/memory.ts";
import { newComparison, standingsOf } from "../../rollout/control-group.ts";
import type { CohortSums } from "../../rollout/counter-report.ts";
import { findComparison, listCohorts } from "../../storage/counters.ts";
import { limits } from "../../terms/limits.ts";
import { answerPage, answerRefusal, pageLimit } from "../requests/answers.ts";
import { errorResponses, pageSchema } from "../requests/common-schemas.ts";
import { typedBySchemas } from "../requests/schema-types.ts";
import {
  type CohortAnswer,
  type ComparisonAnswer,
  cohortSchema,
  cohortsQuery,
  comparisonSchema,
} from "./schemas/counters.ts";
import { rolloutParameters } from "./schemas/rollouts.ts";

const hourMs = 3_600_000;
/** A place in the list is an hour times this, and the number of the cohort in the hour. */
const placesPerHour = 1000;

/** What devices count, and what rollouts make of it. */
export function counterRoutes(fleet: Fleet) {
  return async (app: FastifyInstance): Promise<void> => {
    typedBySchemas(app).route({
      method: "GET",
      url: "/counters",
      schema: {
        operationId: "listCounters",
        tags: ["counters"],
        summary: "What devices counted that no rollout compares, by kind and hour, oldest first",
        description: `Hours that are over, of the last ${limits.cohortHoursKept / 24} days.`,
        querystring: cohortsQuery,
        response: { 200: pageSchema(cohortSchema), ...errorResponses },
      },
      handler: async (request, reply) => {
        const limit = pageLimit(request.query.limit);
        const after = Number(request.query.after ?? 0);
        const from = { hour: Math.floor(after / placesPerHour), skipped: after % placesPerHour };
        const beforeHour = Math.floor(fleet.clock.unixMs() / hourMs);
        const found = await listCohorts(fleet.database.queries, { from, beforeHour, limit });
        let [hour, number] = [from.hour, from.skipped];
        const rows = found.map((row) => {
          [hour, number] = [row.hour, row.hour === hour ? number + 1 : 1];
          return { ...row, place: hour * placesPerHour + number };
        });
        const cursorOf = ({ place }: (typeof rows)[number]): string => String(place);
        const view = cohortView;
        return answerPage(reply, { rows, limit, cursorOf, view, schema: cohortSchema });
      },
    });
    typedBySchemas(app).route({
      method: "GET",
      url: "/rollouts/:id/comparison",
      schema: {
        operationId: "compareRollout",
        tags: ["rollouts"],
        summary: "How updated devices of a rollout stand beside those that wait, by metric",
        params: rolloutParameters,
        response: { 200: comparisonSchema, ...errorResponses },
      },
      handler: async (request, reply) => {
        const rollout = fleet.memory.rollouts.get(Number(request.params.id));
        if (rollout === undefined)
          return answerRefusal(reply, 404, {
            reason: "unknown-rollout",
            message: `there is no rollout ${request.params.id}`,
          });
        const stored = await findComparison(fleet.database.queries, rollout.id);
        return comparisonView(rollout, stored);
      },
    });
  };
}

function comparisonView({ definition }: Rollout, stored: string | null): ComparisonAnswer {
  const { control } = definition;
  if (control === null) return { control, metrics: [] };
  const standings = standingsOf(stored === null ? newComparison() : JSON.parse(stored), control);
  const metrics = standings.map((standing) => ({
    ...standing,
    // JSON has no number for what is beyond this.
    evidence: Math.min(standing.evidence, Number.MAX_VALUE),
    accepted: control.accepted.includes(standing.metric),
  }));
  return { control: { ...control }, metrics };
}

function cohortView(row: {
  readonly hour: number;
  readonly hardware: string;
  readonly region: string;
  readonly version: string;
  readonly sums: string;
}): CohortAnswer {
  const { hour, hardware, region, version } = row;
  const { reports, metrics }: CohortSums = JSON.parse(row.sums);
  return { hourUnixMs: hour * hourMs, hardware, region, version, reports, metrics };
}
