import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Line, type Place } from "../../../../hosts/fleet/admission/line.ts";

test("tells who is ahead as a list of those in line would", () => {
  const step = fc.record({ what: fc.constantFrom("join", "leave", "pass", "back"), who: fc.nat() });
  const rule = fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
    const line = new Line<number>();
    const inLine: { place: Place<number>; counts: boolean }[] = [];
    for (const [number, { what, who }] of steps.entries()) {
      const at = inLine.length === 0 ? 0 : who % inLine.length;
      const one = inLine[at];
      if (what === "join" || one === undefined)
        inLine.push({ place: line.join(number), counts: false });
      else if (what === "leave") {
        line.leave(one.place);
        inLine.splice(at, 1);
      } else {
        if (what === "pass") line.passOver(one.place);
        else line.count(one.place);
        one.counts = what === "back";
      }
      const counted = inLine.filter(({ counts }) => counts);
      assert.equal(line.length, counted.length);
      assert.equal(line.first(), counted[0]?.place.waiter ?? null);
      for (const [index, { place }] of inLine.entries())
        assert.equal(
          line.ahead(place),
          inLine.slice(0, index).filter(({ counts }) => counts).length,
        );
    }
  });
  fc.assert(rule, { numRuns: 200 });
});

test("needs no more room than those who wait, however many went through", () => {
  const line = new Line<number>();
  const waiting: Place<number>[] = [];
  for (let number = 0; number < 100_000; number += 1) {
    const place = line.join(number);
    line.count(place);
    waiting.push(place);
    if (waiting.length > 50) line.leave(waiting.shift() as Place<number>);
  }
  assert.equal(line.length, 50);
  assert.ok((waiting.at(-1)?.index ?? Number.POSITIVE_INFINITY) < 1000);
});
