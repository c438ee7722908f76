// What looks at many rows runs beside the thread that serves.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { listDevicesScan } from "../../../../hosts/fleet/operations/list-devices.ts";
import { type Scan, ScanDesk } from "../../../../hosts/fleet/operations/scan-desk.ts";
import type { Queries } from "../../../../hosts/fleet/storage/database.ts";
import { FaultError, faultOf, TooBusyError } from "../../../../hosts/fleet/terms/faults.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { fleetOf } from "./rollout-scene.ts";

const script = new URL("./scan-script.ts", import.meta.url);
const any = { file: "any", queries: null as unknown as Queries };
const scan: Scan<string, string> = {
  name: "any",
  answer: () => Promise.reject(new Error("a thread answers this")),
};

const hasEnded = (error: unknown): boolean =>
  error instanceof FaultError && faultOf(error)?.reason === "scan-ended";

test("says that a scan's thread died, and answers the next question from another", async (t) => {
  const desk = new ScanDesk(script);
  t.after(() => desk.close());
  await assert.rejects(desk.ask(any, scan, "exit"), hasEnded);
  assert.equal(await desk.ask(any, scan, "again"), "again");
});

test("ends a scan that takes too long", async (t) => {
  const desk = new ScanDesk(script, 50);
  t.after(() => desk.close());
  const next = [desk.ask(any, scan, "hang"), desk.ask(any, scan, "exit")];
  for (const asked of next) await assert.rejects(asked, hasEnded);
});

test("takes only so many scans at once", async (t) => {
  const desk = new ScanDesk(script);
  t.after(() => desk.close());
  const asked = Array.from({ length: 20 }, (_, index) => desk.ask(any, scan, String(index)));
  const results = await Promise.allSettled(asked);
  const refused = results.filter((one) => one.status === "rejected");
  assert.ok(refused.length > 0);
  for (const { reason } of refused) assert.ok(reason instanceof TooBusyError);
});

test("answers nobody any more once it is closed, whoever waits", async () => {
  const desk = new ScanDesk(script);
  const asked = ["hang", "first", "second"].map((question) => desk.ask(any, scan, question));
  const settled = Promise.allSettled(asked);
  await desk.close();
  for (const one of await settled) assert.ok(one.status === "rejected" && hasEnded(one.reason));
  await assert.rejects(desk.ask(any, scan, "later"), hasEnded);
});

test("tells a fault of the database that the thread met", async (t) => {
  const desk = new ScanDesk();
  t.after(() => desk.close());
  const file = join(temporaryFolder(t), "missing.sqlite");
  const question = { filter: {}, page: { after: null, limit: 1 } };
  const asked = desk.ask({ file, queries: any.queries }, listDevicesScan, question);
  await assert.rejects(asked, (error) => faultOf(error)?.reason === "storage-failing");
});

test("lists from the file what was acknowledged before", async (t) => {
  const databaseFile = join(temporaryFolder(t), "fleet.sqlite");
  const { fleet, devices } = await fleetOf(t, 5, { databaseFile });
  await fleet.api("PATCH", `/devices/${devices[3]?.id}`, { region: "eu" });
  const { items } = await fleet.api("GET", "/devices?filter=region%3D%3Deu");
  assert.deepEqual(
    items.map(({ id }: { id: string }) => id),
    [devices[3]?.id],
  );
});
