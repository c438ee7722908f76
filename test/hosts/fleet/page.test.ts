import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { createContext, runInContext } from "node:vm";
import { TestFleet } from "./test-fleet.ts";

/** As much of an element as the page touches while a fleet is empty. */
class FakeElement {
  textContent = "";
  hidden = true;
  value = "";
  tagName = "DIV";
  outerHTML = "";
  options: readonly unknown[] = [];
  classList = { toggle: () => {} };
  querySelectorAll = () => [];
  replaceChildren = () => {};
  append = () => {};
  addEventListener = () => {};
}

/** Runs the page's script against the server's own answers until it has asked once. */
async function shownBy(context: TestContext, simulatedTime: boolean): Promise<FakeElement> {
  const fleet = await TestFleet.open(context, { simulatedTime });
  const elements = new Map<string, FakeElement>();
  const elementOf = (id: string): FakeElement => {
    const element = elements.get(id) ?? new FakeElement();
    elements.set(id, element);
    return element;
  };
  const asked = Promise.withResolvers<void>();
  const page = createContext({
    document: {
      getElementById: elementOf,
      querySelector: elementOf,
      createElement: () => new FakeElement(),
    },
    sessionStorage: { getItem: () => null },
    setTimeout: () => asked.resolve(),
    encodeURIComponent,
    fetch: async (url: string) => {
      const answer = await fleet.inject({ url });
      return { ok: answer.statusCode < 300, status: answer.statusCode, json: () => answer.json() };
    },
  });
  const script = new URL("../../../hosts/fleet/page/page.js", import.meta.url);
  runInContext(readFileSync(script, "utf8"), page);
  await asked.promise;
  assert.match(elementOf("status").textContent, /^0 devices/);
  return elementOf("simulation");
}

test("the page says that a simulation's dates are of the simulation", async (t) => {
  const told = await shownBy(t, true);
  assert.equal(told.hidden, false);
  assert.match(
    told.textContent,
    /^This is a simulation: its time is 2027-01-15 08:00:00, and every/,
  );
});

test("the page says nothing of simulations where the time is real", async (t) => {
  const told = await shownBy(t, false);
  assert.deepEqual([told.hidden, told.textContent], [true, ""]);
});
