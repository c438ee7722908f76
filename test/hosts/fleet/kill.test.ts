import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { hardware, imageSigner, makeImage, publicKeyPem, TestFleet } from "./test-fleet.ts";

const command = join(import.meta.dirname, "..", "..", "..", "hosts", "cli", "main.ts");

async function serve(
  context: TestContext,
  folder: string,
): Promise<{ child: ChildProcess; url: string }> {
  const key = join(folder, "key.pem");
  writeFileSync(key, publicKeyPem(imageSigner));
  const child = spawn(
    process.execPath,
    [command, "fleet", "serve", "--data", folder, "--port", "0", "--image-key", key],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  context.after(() => child.kill("SIGKILL"));
  const [url] = await once(createInterface({ input: child.stdout! }), "line");
  return { child, url };
}

/** One request; null when the server dies under it. */
async function send(url: string, init: RequestInit): Promise<Response | null> {
  try {
    const response = await fetch(url, init);
    await response.clone().arrayBuffer();
    return response;
  } catch {
    return null; // the point of the test: what was not answered may be lost
  }
}

test("loses nothing that it acknowledged when it is killed", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-kill-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const { child, url } = await serve(t, folder);
  const post = (path: string, body: object, token?: string) =>
    send(`${url}${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: {
        "content-type": "application/json",
        ...(token === undefined ? {} : { authorization: `TargetToken ${token}` }),
      },
    });
  const image = await makeImage({ version: "1.0.0" });
  const published = await send(`${url}/api/v1/releases/images`, {
    method: "POST",
    body: new Uint8Array(image.bytes),
    headers: { "content-type": "application/octet-stream" },
  });
  assert.equal(published?.status, 201);
  const added = await post("/api/v1/devices", { id: "lamp", hardware });
  assert.ok(added);
  const { token } = (await added.json()) as { token: string };
  await post("/api/v1/rollouts", { name: "r", releaseVersion: "1.0.0", start: true });
  const base = `${url}/DEFAULT/controller/v1/lamp`;
  await send(base, { headers: { authorization: `TargetToken ${token}` } });

  const acknowledged: string[] = [];
  const report = async (text: string): Promise<void> => {
    const status = { execution: "proceeding", result: { finished: "none" }, details: [text] };
    const answer = await post(
      "/DEFAULT/controller/v1/lamp/deploymentBase/1/feedback",
      { status },
      token,
    );
    if (answer?.status === 200) acknowledged.push(text);
  };
  const reports = Array.from({ length: 60 }, (_, index) => `report ${index}`);
  for (const [index, text] of reports.entries()) {
    const sent = report(text);
    if (index < 40) await sent;
    if (index === 50) child.kill("SIGKILL");
  }
  await once(child, "exit");
  assert.ok(acknowledged.length >= 40);

  const after = await TestFleet.open(t, {
    databaseFile: join(folder, "fleet.sqlite"),
    artifactsFolder: join(folder, "artifacts"),
  });
  const { items } = await after.api("GET", "/events?device=lamp&limit=500");
  const kept = new Set(
    items.flatMap(({ details }: { details: { details?: string[] } }) => details.details ?? []),
  );
  assert.deepEqual(
    acknowledged.filter((text) => !kept.has(text)),
    [],
  );
  assert.equal((await after.api("GET", "/releases/1.0.0")).images[0].imageHash, image.imageHash);
});
