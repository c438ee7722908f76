import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isNumber,
  isPageOf,
  isText,
  orAbsent,
  orNull,
  partOf,
} from "../../../../hosts/cli/server/answer-shape.ts";
import {
  answerSchema,
  textOrNull,
} from "../../../../hosts/fleet/routes/requests/common-schemas.ts";
import type { TypeOf } from "../../../../hosts/fleet/routes/requests/schema-types.ts";

const text = { type: "string" } as const;
const lampSchema = answerSchema(
  { id: text, room: textOrNull, watts: { type: "integer" }, note: text, toString: text },
  ["note"],
);
type Lamp = TypeOf<typeof lampSchema>;

const isLamp = partOf<Lamp>()({ id: isText, room: orNull(isText), note: orAbsent(isText) });

test("a part of an answer is checked by its members, whatever else there is", () => {
  assert.ok(isLamp({ id: "lamp", room: null, colour: "red" }));
  assert.ok(isLamp({ id: "lamp", room: "hall", note: "new" }));
  for (const value of [null, [], "lamp", {}, { id: 1, room: null }, { id: "lamp" }])
    assert.ok(!isLamp(value), JSON.stringify(value));
  assert.ok(!isLamp({ id: "lamp", room: null, note: 1 }));
  // A member that every object inherits is none of the answer's own.
  assert.ok(!partOf<Lamp>()({ toString: isText })({}));
});

test("a page has items and the name of the next page, or null", () => {
  const isPage = isPageOf(isLamp);
  assert.ok(isPage({ items: [], next: null }));
  assert.ok(isPage({ items: [{ id: "lamp", room: null }], next: "lamp" }));
  for (const value of [{ items: [] }, { items: [{}], next: null }, { items: {}, next: null }])
    assert.ok(!isPage(value), JSON.stringify(value));
});

test("the compiler refuses a check that does not fit the answer", () => {
  // @ts-expect-error The answer has no such member.
  partOf<Lamp>()({ colour: isText });
  // @ts-expect-error The room may be null.
  partOf<Lamp>()({ room: isText });
  // @ts-expect-error The note may be absent.
  partOf<Lamp>()({ note: isText });
  // @ts-expect-error The id is a text.
  partOf<Lamp>()({ id: isNumber });
  const value: unknown = { id: "lamp", room: null };
  assert.ok(isLamp(value));
  // @ts-expect-error Nobody checked the watts.
  assert.equal(value.watts, undefined);
});
