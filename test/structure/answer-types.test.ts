import assert from "node:assert/strict";
import { test } from "node:test";
import { type Source, sources } from "./sources.ts";

/** A request to the management API, or a check of its answer, by the type that it names. */
const typedAnswer = /(?:\.(?:get|post|postBytes|postFor)|\bpartOf)<([^()]*?)>\(/g;

/** Answers that a host types by hand instead of by the schemas of `hosts/fleet`. */
function handWritten({ path, text }: Source): string[] {
  const own = new Set(
    [...text.matchAll(/^(?:export )?(?:interface (\w+)|type (\w+) = \{)/gm)].map(
      ([, name, alias]) => name ?? alias,
    ),
  );
  return [...text.matchAll(typedAnswer)]
    .map(([, named = ""]) => named)
    .filter((named) => named.includes("{") || (named.match(/\w+/g) ?? []).some((n) => own.has(n)))
    .map((named) => `${path} types an answer by hand: ${named}`);
}

test("whoever asks the management API has its answers' types from the server's schemas", () => {
  const folders = ["hosts/cli", "hosts/bench", "test/hosts", "test/support"];
  const found = folders.flatMap((folder) => [...sources(folder)]).flatMap(handWritten);
  assert.deepEqual(found, []);
});

test("the rule sees a type in place, an interface and an alias, and lets schemas' types through", () => {
  const path = "hosts/cli/device/show.ts";
  for (const text of [
    'client.post<{ token: string }>("/devices", body);',
    'interface Lamp {\n  id: string;\n}\nclient.get<Lamp>("/devices/1");',
    "type Lamp = {\n  id: string;\n};\nconst isLamp = partOf<readonly Lamp[]>()({});",
  ])
    assert.notDeepEqual(handWritten({ path, text }), [], text);
  for (const text of [
    'client.post<AddedDeviceAnswer>("/devices", body);',
    'interface Flags {\n  id: string;\n}\npartOf<DeviceAnswer["running"]>()({ version: isText });',
  ])
    assert.deepEqual(handWritten({ path, text }), [], text);
});

/** A route whose handler Fastify does not type by the route's schemas. */
const untypedRoute =
  /\bapp\.(?:route|get|post|put|patch|delete|all)\b|\)\.route<|Promise<unknown>/g;

function untyped({ path, text }: Source): string[] {
  return [...text.matchAll(untypedRoute)].map(([route]) => `${path} does not type ${route}`);
}

test("every route of the management API is typed by its schemas", () => {
  const found = [...sources("hosts/fleet/routes/management")].flatMap(untyped);
  assert.deepEqual(found, []);
  const path = "hosts/fleet/routes/management/devices.ts";
  for (const text of [
    'app.get("/devices", show);',
    "app.route<{ Body: object }>({",
    "x(app).route<R>({",
  ])
    assert.notDeepEqual(untyped({ path, text }), [], text);
  assert.deepEqual(untyped({ path, text: "typedBySchemas(app).route({" }), []);
});
