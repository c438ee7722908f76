import { receiveCounters } from "../../operations/counters.ts";
import type { CounterReport } from "../../rollout/counter-report.ts";
import { limits } from "../../terms/limits.ts";
import { cutText } from "../../terms/texts.ts";
import { answer, answerGone, answerProblem, notReadable, type Problem } from "./answers.ts";
import {
  answerSlowly,
  type DeviceApiOptions,
  type DeviceResource,
  deviceOf,
} from "./device-api.ts";

/** `POST counters`, of ours: what a device counted since its last report. */
export function counterResources({ fleet }: DeviceApiOptions): readonly DeviceResource[] {
  return [
    {
      path: "/counters",
      bodyBytesMax: limits.countersBodyBytesMax,
      methods: {
        POST: async (request, reply) => {
          const read = parseCounters(request.body);
          if (!read.ok) return answerProblem(request, reply, read.problem);
          const sent = { entry: deviceOf(request), report: read.value };
          const result = await receiveCounters(fleet, sent);
          switch (result.kind) {
            case "accepted":
            case "duplicate":
              return answer(request, reply, { accepted: result.kind === "accepted" });
            case "too-early":
              return answerSlowly(request, reply, result.waitSeconds, "once an hour");
            case "gone":
              return answerGone(reply);
            default:
              return result satisfies never;
          }
        },
      },
    },
  ];
}

type Parsed =
  | { readonly ok: true; readonly value: CounterReport }
  | { readonly ok: false; readonly problem: Problem };

const idForm = /^([A-Za-z0-9._:]{1,64})-(\d{1,15})$/;
const nameForm = /^[A-Za-z][A-Za-z0-9_-]{0,31}$/;
const reasonForm = /^[a-z][a-z-]{0,31}$/;
const countMax = 1_000_000;
const spanMsMax = 7 * 24 * 3_600_000;

/** Absent counters are 0, absent levels unknown; unknown fields are ignored. */
function parseCounters(body: unknown): Parsed {
  if (!isObject(body)) return refused("the body is no object: give the counters of one report");
  const id = typeof body["id"] === "string" ? idForm.exec(body["id"]) : null;
  if (id === null)
    return refused(`id is ${shown(body["id"])}: give <bootId>-<number of the report in the boot>`);
  const fields = new Fields(body);
  const report: CounterReport = {
    bootId: id[1] ?? "",
    sequence: Number(id[2]),
    spanMs: fields.required("spanMs", 1, spanMsMax),
    boots: fields.named("boots", reasonForm, limits.bootReasonsMax),
    crashes: fields.count("crashes"),
    disconnects: fields.count("disconnects"),
    heartbeatsMissed: fields.count("heartbeatsMissed"),
    errorLogs: fields.count("errorLogs"),
    freeMemoryBytes: fields.level("freeMemoryBytes", 2 ** 32),
    batteryDrainPercent: fields.level("batteryDrainPercent", 100),
    application: fields.named("application", nameForm, limits.applicationCountersMax),
  };
  return fields.problem === null
    ? { ok: true, value: report }
    : { ok: false, problem: fields.problem };
}

/** Reads one field after the other and keeps what was wrong first. */
class Fields {
  problem: Problem | null = null;
  readonly #body: Record<string, unknown>;

  constructor(body: Record<string, unknown>) {
    this.#body = body;
  }

  required(name: string, min: number, max: number): number {
    const value = this.#body[name];
    return isWithin(value, min, max) ? value : this.#wrong(name, value, `${min} to ${max}`);
  }

  count(name: string): number {
    const value = this.#body[name] ?? 0;
    return isCount(value) ? value : this.#wrong(name, value, countText);
  }

  level(name: string, max: number): number | null {
    const value = this.#body[name] ?? null;
    if (value === null || isWithin(value, 0, max)) return value;
    return this.#wrong(name, value, `0 to ${max}`);
  }

  named(name: string, form: RegExp, max: number): Readonly<Record<string, number>> {
    const value = this.#body[name] ?? {};
    if (!isObject(value)) {
      this.#wrong(name, value, "an object of counts");
      return {};
    }
    const entries = Object.entries(value);
    if (entries.length > max) this.#wrong(name, `${entries.length} counters`, `at most ${max}`);
    const counts: [string, number][] = [];
    for (const [key, count] of entries.slice(0, max)) {
      const at = `${name}.${cutText(key, shownCharactersMax)}`;
      if (!form.test(key)) this.#wrong(at, key, `a name of the form ${form.source}`);
      else counts.push([key, isCount(count) ? count : this.#wrong(at, count, countText)]);
    }
    return Object.fromEntries(counts);
  }

  #wrong(name: string, value: unknown, wanted: string): number {
    this.problem ??= notReadable(`${name} is ${shown(value)}: give ${wanted}`);
    return 0;
  }
}

const countText = `a whole number from 0 to ${countMax}`;
const shownCharactersMax = 60;

function refused(message: string): Parsed {
  return { ok: false, problem: notReadable(message) };
}

function isWithin(value: unknown, min: number, max: number): value is number {
  return typeof value === "number" && value >= min && value <= max;
}

function isCount(value: unknown): value is number {
  return isWithin(value, 0, countMax) && Number.isInteger(value);
}

function shown(value: unknown): string {
  if (value === undefined) return "missing";
  if (typeof value === "object" && value !== null) return "an object or a list";
  return cutText(JSON.stringify(String(value)), shownCharactersMax);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
