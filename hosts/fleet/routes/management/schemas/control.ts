import { leastEffectNames } from "../../../rollout/control-metrics.ts";

const leastEffect = {
  type: "number",
  minimum: 0,
  maximum: 100,
  description: "a share of what waiting devices have: 0.03 is 3 percent",
} as const;

/** How the control group of a rollout judges; see docs/rollouts.md. */
export const controlSchema = {
  type: ["object", "null"],
  additionalProperties: false,
  description:
    "how updated devices are compared with those that wait, while the rollout runs; null for not at all",
  properties: {
    level: {
      type: "number",
      minimum: 0.000001,
      maximum: 0.5,
      description: "the probability that a release which is no worse is stopped",
    },
    leastEffect: {
      type: "object",
      additionalProperties: false,
      description: "by metric, how much worse updated devices are at least to matter",
      properties: Object.fromEntries(leastEffectNames.map((name) => [name, leastEffect])) as Record<
        (typeof leastEffectNames)[number],
        typeof leastEffect
      >,
    },
  },
} as const;
