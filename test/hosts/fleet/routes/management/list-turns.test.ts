// However large a list is, others have their turn while it is made.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { TestFleet } from "../../test-fleet.ts";

const count = 24;
/** Longer than any slice of the thread. */
const afterMs = 1000;

/** Every list of the document, with what stands in its path here. */
function lists(fleet: TestFleet): string[] {
  const { paths = {} } = fleet.server.app.swagger() as unknown as {
    // biome-ignore lint/suspicious/noExplicitAny: the document's own shape, of which little is read
    paths?: Record<string, Record<string, any>>;
  };
  const pathOf = (path: string): string =>
    path.replace("/rollouts/{id}", "/rollouts/1").replace("/devices/{id}", "/devices/device-0000");
  return Object.entries(paths).flatMap(([path, { get }]) => {
    const schema = get?.responses?.["200"]?.content?.["application/json"]?.schema;
    return schema?.properties?.items && schema.properties.next ? [pathOf(path)] : [];
  });
}

async function filled(t: TestContext): Promise<TestFleet> {
  const fleet = await TestFleet.open(t);
  const devices = await fleet.addDevices(count);
  await fleet.publish({ version: "1.1.0" });
  for (let minor = 2; minor <= count; minor += 1)
    await fleet.publish({ version: `1.${minor}.0`, fill: minor });
  for (let minor = 1; minor <= count; minor += 1) {
    const wanted = { name: `r${minor}`, releaseVersion: `1.${minor}.0` };
    await fleet.api("POST", "/rollouts", { ...wanted, start: minor === 1 });
  }
  for (let index = 0; index < count; index += 1)
    await devices[0]?.request("PUT", "configData", {
      body: { mode: "merge", data: { index: String(index), hardware: "x" } },
    });
  return fleet;
}

/** Turns that others had while it ran, when every look at the clock finds a slice used up. */
async function turnsOf(t: TestContext, run: () => Promise<unknown>): Promise<number> {
  let [turns, isOver, nowMs] = [0, false, performance.now()];
  const turn = (): void => {
    turns += 1;
    if (!isOver) setImmediate(turn);
  };
  const clock = t.mock.method(performance, "now", () => {
    nowMs += afterMs;
    return nowMs;
  });
  setImmediate(turn);
  await run();
  isOver = true;
  clock.mock.restore();
  return turns;
}

test("every list leaves the thread between its items", async (t) => {
  const fleet = await filled(t);
  const urls = lists(fleet);
  assert.ok(urls.length >= 7, urls.join(", "));
  const perItem: Record<string, number> = {};
  for (const url of urls) {
    let items: readonly unknown[] = [];
    const ask = async (limit: number): Promise<void> => {
      const answer = await fleet.inject({ method: "GET", url: `${url}?limit=${limit}` });
      assert.equal(answer.statusCode, 200, `${url}: ${answer.body}`);
      ({ items } = answer.json());
    };
    await ask(1); // once for what is made at its first use
    const one = await turnsOf(t, () => ask(1));
    const all = await turnsOf(t, () => ask(500));
    if (items.length >= count) perItem[url] = (all - one) / (items.length - 1);
  }
  assert.ok(Object.keys(perItem).length >= 5, JSON.stringify(perItem));
  for (const [url, turns] of Object.entries(perItem))
    assert.ok(turns >= 0.4, `${url}: ${turns} turns to an item`);
});
