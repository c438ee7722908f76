import type { FastifySchemaValidationError } from "fastify";
import { cutText, oneLine } from "../../terms/texts.ts";

const shownCharactersMax = 60;

/** What ajv tells with `verbose`: the value that it judged, and the schema that it judged it by. */
interface Judged extends FastifySchemaValidationError {
  readonly data?: unknown;
  readonly parentSchema?: { readonly description?: string; readonly properties?: object };
}

/**
 * Names the field of a request that does not fit its schema, the value, the limit, and what to
 * give.
 */
export function invalidRequest(
  errors: readonly FastifySchemaValidationError[],
  part: string,
): Error {
  const [first] = errors;
  if (first === undefined) return new Error(`${part} is not of the form that /openapi.json gives`);
  return new Error(sentence(first, part));
}

function sentence(error: Judged, part: string): string {
  const field = fieldOf(error, part);
  const { keyword, params, data } = error;
  const limit = Number(params["limit"]);
  switch (keyword) {
    case "required":
      return `${field} lacks ${params["missingProperty"]}: give it`;
    case "additionalProperties":
      return `${field} has ${shown(params["additionalProperty"])}, which nobody knows here: ${insteadOf(error, part)}`;
    case "type":
      return `${field} is ${shown(data)}: give ${typesOf(params["type"])}`;
    case "enum":
      return `${field} is ${shown(data)}: give one of ${[params["allowedValues"]].flat().join(", ")}`;
    case "minLength":
    case "maxLength":
      return `${field} has ${String(data).length} characters: give ${bound(keyword)} ${limit}`;
    case "minItems":
    case "maxItems":
      return `${field} has ${Array.isArray(data) ? data.length : "other"} entries: give ${bound(keyword)} ${limit}`;
    case "maxProperties":
      return `${field} has ${Object.keys(Object(data)).length} members: give ${bound(keyword)} ${limit}`;
    case "minimum":
    case "maximum":
      return `${field} is ${shown(data)}: give ${bound(keyword)} ${limit}`;
    case "exclusiveMinimum":
      return `${field} is ${shown(data)}: give more than ${limit}`;
    case "pattern":
      return `${field} is ${shown(data)}: give ${error.parentSchema?.description ?? "what /openapi.json says"}`;
    default:
      return `${field} is ${shown(data)}, which is not of the form that /openapi.json gives`;
  }
}

/** Bodies have many members, which /openapi.json tells; the parameters of a query are few. */
function insteadOf({ parentSchema }: Judged, part: string): string {
  if (part !== "querystring") return "leave it out";
  const known = Object.keys(parentSchema?.properties ?? {});
  return known.length === 0 ? "it takes no parameter" : `give one of ${known.join(", ")}`;
}

/** `body/stages/0/percent` is `stages.0.percent`; of a query or a path the name alone. */
function fieldOf({ instancePath }: FastifySchemaValidationError, part: string): string {
  const names = instancePath.split("/").slice(1);
  return names.length === 0 ? (whole[part] ?? part) : names.join(".");
}

const whole: Readonly<Record<string, string>> = {
  body: "the body",
  querystring: "the query",
  params: "the path",
  headers: "the headers",
};

function bound(keyword: string): string {
  return keyword.startsWith("min") ? "at least" : "at most";
}

function typesOf(type: unknown): string {
  const words = [type].flat().map((name) => typeWords[String(name)] ?? String(name));
  return words.join(" or ");
}

const typeWords: Readonly<Record<string, string>> = {
  string: "a text",
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
  object: "an object",
  array: "a list",
};

function shown(value: unknown): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "string"
    ? JSON.stringify(cutText(oneLine(value), shownCharactersMax))
    : String(value);
}
