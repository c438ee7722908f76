import { answerSchema, time } from "../../requests/common-schemas.ts";

export const serverSchema = answerSchema({
  nowUnixMs: { ...time, description: "the server's time, milliseconds since 1970" },
  simulatedTime: {
    type: "boolean",
    description: "true in a simulation: no date that the server tells is one of the real world",
  },
  timeZoneDatabase: {
    type: "string",
    description: "the edition of the IANA time zone database that windows are judged by",
  },
});

const problem = answerSchema({
  reason: { type: "string", description: "one word of a closed set" },
  message: { type: "string", description: "what it is, and the next step" },
});

export const readySchema = answerSchema({
  ready: { type: "boolean", description: "a device would be served whole now" },
  problems: { type: "array", items: problem },
});
