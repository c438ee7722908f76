import { filterLengthMax } from "../../../filter/syntax.ts";
import {
  answerSchema,
  devicePageQuery,
  error,
  listQuery,
  textOrNull,
} from "../../requests/common-schemas.ts";
import type { TypeOf } from "../../requests/schema-types.ts";

const truth = { type: "string", enum: ["true", "false"] } as const;

export const importQuery = listQuery({
  dryRun: { ...truth, description: "true: only say what would be; the default" },
  register: { ...truth, description: "true: take in devices that are not known yet" },
});

const defect = answerSchema({
  line: { type: "integer", description: "from 1; of a JSON array, the number of the item" },
  column: textOrNull,
  value: textOrNull,
  rule: { type: "string" },
});

export const importedSchema = answerSchema({
  applied: { type: "boolean" },
  devices: { type: "integer" },
  created: { type: "integer" },
  changed: { type: "integer" },
  unchanged: { type: "integer" },
  cleared: { type: "integer", description: "values, tags and groups that the file takes away" },
});

/** A file with any defect, of which the first ones are told. */
export const refusedImportSchema = {
  description: "The file has defects, and nothing was changed",
  ...answerSchema(
    {
      ...error.properties,
      defects: { type: "array", items: defect },
      defectsCount: { type: "integer" },
    },
    ["defects", "defectsCount"],
  ),
} as const;

export const registryQuery = listQuery({
  ...devicePageQuery,
  filter: {
    type: "string",
    maxLength: filterLengthMax,
    description: "RSQL over devices, such as region==eu; see docs/filters.md",
  },
});

export const registeredSchema = answerSchema({
  id: { type: "string" },
  hardware: textOrNull,
  region: textOrNull,
  timezone: textOrNull,
  connectivity: textOrNull,
  criticality: textOrNull,
  bootloader: textOrNull,
  tags: { type: "array", items: { type: "string" } },
  groups: { type: "array", items: { type: "string" } },
});

export type ImportedAnswer = TypeOf<typeof importedSchema>;
export type RefusedImportAnswer = TypeOf<typeof refusedImportSchema>;
export type RegisteredAnswer = TypeOf<typeof registeredSchema>;
