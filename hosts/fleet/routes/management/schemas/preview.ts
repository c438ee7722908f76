import { answerSchema, timeOrNull } from "../../requests/common-schemas.ts";
import type { TypeOf } from "../../requests/schema-types.ts";
import { lastOpening, newRolloutForms, newRolloutSchema } from "./rollouts.ts";

const { start: _, name, ...properties } = newRolloutSchema.properties;

/** The body of a new rollout, whose name says nothing of what it would do. */
export const previewBodySchema = {
  ...newRolloutSchema,
  required: [],
  properties: { ...properties, name },
} as const;

export const previewForms = newRolloutForms;

const count = { type: "integer" } as const;
const number = { type: "number" } as const;
const text = { type: "string" } as const;
const texts = { type: "array", items: text } as const;

const shares = answerSchema({
  most: {
    type: "array",
    items: answerSchema({ name: { type: ["string", "null"] }, devices: count }),
  },
  otherNames: count,
  otherDevices: count,
});

const odds = {
  stop: { ...number, description: "how likely the rule stops the rollout, from 0 to 1" },
  hurtOneByOne: {
    ...number,
    description: "bad devices to expect where they end one after another: the fewest",
  },
  hurtAtOnce: {
    ...number,
    description: "the same where all devices of a stage took the release before the first ended",
  },
} as const;

export const previewSchema = answerSchema({
  releaseVersion: text,
  devices: { ...count, description: "devices that would be offered the release" },
  first: { ...texts, description: "the first of them" },
  versions: shares,
  hardware: shares,
  regions: shares,
  timeZones: shares,
  left: {
    type: "array",
    description: "devices that are left out, by reason",
    items: answerSchema({ reason: text, devices: count, examples: texts }),
  },
  steps: { ...shares, description: "stepping stones, with the devices that go over them" },
  bytes: { ...count, description: "of all files that are offered, each fetched once and whole" },
  stages: {
    type: "array",
    items: answerSchema({
      devices: count,
      soakSeconds: count,
      waitsForPeople: {
        type: "boolean",
        description: "the next stage opens when somebody says so",
      },
      endsAfterSeconds: count,
    }),
  },
  beyondStages: { ...count, description: "devices that no stage holds" },
  seconds: {
    ...count,
    description:
      "from the start to the end of the last stage: until devices have asked, under the rate, and soaks; installations come on top",
  },
  stop: {
    ...answerSchema({ limit: number, confidence: number, sampleMin: count }),
    description: "the rule that stops the rollout: the share that may go back",
  },
  odds: {
    type: "array",
    description: "what the rule catches of a release that is bad on such a share of the devices",
    items: answerSchema({
      defectRate: number,
      ...odds,
      stages: { type: "array", items: answerSchema(odds) },
    }),
  },
  windowOpensAtUnixMs: timeOrNull,
  windows: {
    ...answerSchema(lastOpening),
    type: ["object", "null"],
    description: "when windows come, by those of the rollout; null when it has none",
  },
  problems: {
    type: "array",
    description: "why a rollout like this would be refused, with the next step",
    items: answerSchema({ reason: text, message: text }),
  },
  digest: { ...text, description: "SHA-256 of what was asked and what was found" },
});

export type PreviewAnswer = TypeOf<typeof previewSchema>;
