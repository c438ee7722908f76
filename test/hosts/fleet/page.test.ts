import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { createContext, runInContext } from "node:vm";
import { isOver, memberStates } from "../../../hosts/fleet/rollout/member.ts";
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
  return (await opened(context, simulatedTime)).simulation;
}

async function opened(context: TestContext, simulatedTime: boolean) {
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
  const evaluate = (expression: string): unknown => runInContext(expression, page);
  return { simulation: elementOf("simulation"), evaluate };
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

test("the page tells the reasons of every way in which an attempt ends badly", async (t) => {
  const { evaluate } = await opened(t, false);
  const told = evaluate("JSON.stringify(badStates)") as string;
  assert.deepEqual(JSON.parse(told).sort(), memberStates.filter(isOver).sort());
});

test("the page has a colour and a part of the bar for every state of a device that was offered a release", async (t) => {
  const { evaluate } = await opened(t, false);
  const parts = JSON.parse(evaluate("JSON.stringify(barParts)") as string) as [string, string[]][];
  const tones = JSON.parse(evaluate("JSON.stringify(tones)") as string);
  const without = ["waiting", "withdrawn", "excluded"];
  const wanted = memberStates.filter((state) => !without.includes(state)).sort();
  assert.deepEqual(parts.flatMap(([, states]) => states).sort(), wanted);
  for (const state of wanted) assert.equal(typeof tones[state], "string", state);
});

test("no word of a device turns or hides those around it on the page", async (t) => {
  const { evaluate } = await opened(t, false);
  const shown = (text: string): unknown =>
    evaluate(`element("td", ${JSON.stringify(text)}).textContent`);
  assert.equal(
    shown("lamp\u202egnp.exe\u001b[2J\u009b1m\u2028"),
    "lamp\\u202egnp.exe\\u001b[2J\\u009b1m\\u2028",
  );
  assert.equal(shown("\u{e0041}"), "\\udb40\\udc41");
  assert.equal(shown("عربي \u200d 日本語 ü"), "عربي \u200d 日本語 ü");
});
