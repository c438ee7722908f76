import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv } from "ajv";
import Fastify from "fastify";
import {
  answerSchema,
  anyObject,
  listQuery,
  pathParameter,
  textOrNull,
} from "../../../../../hosts/fleet/routes/requests/common-schemas.ts";
import {
  type TypeOf,
  typedBySchemas,
} from "../../../../../hosts/fleet/routes/requests/schema-types.ts";

const running = answerSchema({ version: { type: "string" } });
const lampSchema = answerSchema(
  {
    id: { type: "string" },
    reason: textOrNull,
    running: { ...running, type: ["object", "null"] },
    state: { type: "string", enum: ["on", "off"] },
    details: anyObject,
    names: { type: "object", additionalProperties: { type: "string" } },
    history: { type: "array", items: running },
    ahead: { anyOf: [running, { type: "null" }] },
    note: { type: "string" },
  },
  ["note"],
);
type Lamp = TypeOf<typeof lampSchema>;

const lamp: Lamp = {
  id: "lamp",
  reason: null,
  running: null,
  state: "on",
  details: { any: 1 },
  names: { room: "hall" },
  history: [{ version: "1.0.0" }],
  ahead: null,
};

/** The compiler checks these with `npm run check`: an expected error that is none is an error. */
const rejected: readonly Lamp[] = [
  // @ts-expect-error A text is null.
  { ...lamp, id: null },
  // @ts-expect-error A member of a nullable object is no text.
  { ...lamp, running: { version: 1 } },
  // @ts-expect-error The state is none of the schema's.
  { ...lamp, state: "broken" },
  // @ts-expect-error An item lacks what every item has.
  { ...lamp, history: [{}] },
  // @ts-expect-error One of any names is no text.
  { ...lamp, names: { room: 1 } },
  // @ts-expect-error What is optional is no number when it is there.
  { ...lamp, note: 1 },
];

// @ts-expect-error The schema names no such member.
const misspelt: Lamp = { ...lamp, colour: "red" };

test("a schema refuses what its type does, and lets through a member without a name", () => {
  const validate = new Ajv({ allowUnionTypes: true }).compile(lampSchema);
  for (const one of [lamp, misspelt]) assert.ok(validate(one), JSON.stringify(validate.errors));
  for (const one of rejected) assert.ok(!validate(one), JSON.stringify(one));
});

test("a schema that is no literal has no type, though it checks as before", () => {
  const widened = { type: "string" };
  // @ts-expect-error Nothing fits, so that a forgotten "as const" does not let everything through.
  const lampName: TypeOf<typeof widened> = "lamp";
  assert.ok(new Ajv().compile(widened)(lampName));
});

test("the schema itself requires all members but the optional ones", () => {
  assert.deepEqual(lampSchema.required, [
    "id",
    "reason",
    "running",
    "state",
    "details",
    "names",
    "history",
    "ahead",
  ]);
});

test("a route reads and answers by its schemas alone", async (t) => {
  const app = typedBySchemas(Fastify());
  t.after(() => app.close());
  app.route({
    method: "GET",
    url: "/lamps/:id",
    schema: {
      params: pathParameter("id", { type: "string" }),
      querystring: listQuery({ state: { type: "string", enum: ["on", "off"] } }),
      response: { 200: lampSchema },
    },
    handler: async (request) => {
      const state: "on" | "off" | undefined = request.query.state;
      // @ts-expect-error The path has no such parameter.
      assert.equal(request.params.name, undefined);
      return { ...lamp, id: request.params.id, state: state ?? "off" };
    },
  });
  app.route({
    method: "GET",
    url: "/broken",
    schema: { response: { 200: lampSchema } },
    // @ts-expect-error The answer lacks members that the schema requires.
    handler: async () => ({ id: "lamp" }),
  });
  const shown = await app.inject({ url: "/lamps/hall" });
  assert.deepEqual(shown.json(), { ...lamp, id: "hall", state: "off" });
  assert.equal((await app.inject({ url: "/broken" })).statusCode, 500);
});
