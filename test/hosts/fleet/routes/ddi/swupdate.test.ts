import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { temporaryFolder } from "../../../../support/command-line.ts";
import { TestFleet } from "../../test-fleet.ts";

const isInstalled = spawnSync("swupdate", ["--version"]).error === undefined;
const skip = isInstalled ? false : "swupdate is not installed";
/**
 * It polls every second, and is done after a few; a machine that is busy makes each one late, not
 * more.
 */
const requestsMax = 200;

/** What a client posted, once the server answered it. */
interface Posted {
  readonly path: string;
  readonly body: string;
  readonly status: number | undefined;
}

/**
 * SWUpdate installs what is called `.swu` only, so files get that name on the way to it; all else
 * passes as it is.
 */
async function renamingProxy(
  context: TestContext,
  port: number,
  { onAsked, onPosted }: { onAsked: () => void; onPosted: (posted: Posted) => void },
): Promise<number> {
  const server = createServer(async (from, to) => {
    onAsked();
    const body = await bytesOf(from);
    const path = (from.url ?? "").replaceAll(".swu", ".bin");
    const { "content-length": _, ...headers } = from.headers;
    const asked = request({ port, path, method: from.method, headers }, async (answer) => {
      const isJson = /json/.test(answer.headers["content-type"] ?? "");
      let bytes = await bytesOf(answer);
      if (isJson) bytes = Buffer.from(bytes.toString().replaceAll(".bin", ".swu"));
      to.writeHead(answer.statusCode ?? 500, { ...answer.headers, "content-length": bytes.length });
      to.end(bytes);
      if (from.method === "POST")
        onPosted({ path, body: body.toString(), status: answer.statusCode });
    });
    asked.on("error", () => to.destroy());
    asked.end(body);
  });
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

async function bytesOf(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A certificate for signed updates: Debian's build does not start without one. */
function signerCertificate(folder: string): string {
  const file = join(folder, "signer.pem");
  const made = spawnSync("openssl", [
    ...["req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "2", "-subj", "/CN=signer"],
    ...["-addext", "extendedKeyUsage=emailProtection,codeSigning"],
    ...["-addext", "keyUsage=digitalSignature", "-keyout", join(folder, "key.pem"), "-out", file],
  ]);
  assert.equal(made.status, 0, String(made.stderr));
  return file;
}

test("takes SWUpdate's whole log and shows how it failed", { skip }, async (t) => {
  const folder = temporaryFolder(t);
  const fleet = await TestFleet.open(t, { pollSeconds: 1 });
  const device = await fleet.addDevice("dev1");
  await fleet.publish({ version: "1.0.0" });
  await fleet.api("POST", "/rollouts", { name: "r", releaseVersion: "1.0.0", start: true });
  const { port } = new URL(await fleet.server.app.listen({ host: "127.0.0.1", port: 0 }));
  const posts: Posted[] = [];
  const ended = Promise.withResolvers<void>();
  let requests = 0;
  const onAsked = (): void => {
    requests += 1;
    if (requests > requestsMax) ended.reject(new Error(JSON.stringify(posts)));
  };
  const onPosted = (posted: Posted): void => {
    posts.push(posted);
    if (/"closed"/.test(posted.body) && /feedback$/.test(posted.path)) ended.resolve();
  };
  const proxyPort = await renamingProxy(t, Number(port), { onAsked, onPosted });
  const config = join(folder, "swupdate.cfg");
  writeFileSync(
    config,
    'globals: { loglevel = 5; };\nidentify: ({ name = "board"; value = "1"; });\n',
  );
  const client = spawn(
    "swupdate",
    [
      ...["-l", "5", "-f", config, "-k", signerCertificate(folder), "-H", "board:1.0", "-u"],
      `-t default -i dev1 -u http://127.0.0.1:${proxyPort} -k ${device.token}`,
    ],
    { stdio: "ignore", detached: true, env: { ...process.env, TMPDIR: folder } },
  );
  const { pid } = client;
  assert.ok(pid);
  t.after(async () => {
    process.kill(-pid, "SIGKILL"); // its helpers are of its group
    if (client.exitCode === null && client.signalCode === null) await once(client, "exit");
  });
  client.once("exit", (code) => ended.reject(new Error(`SWUpdate ended with ${code}`)));
  await ended.promise;
  for (const { status, body } of posts) assert.equal(status, 200, body);
  // How many lines a batch has is by the moment at which SWUpdate's sender looks; how many there
  // are is not.
  const lines = posts.flatMap(({ body }) => JSON.parse(body).status.details as string[]);
  assert.ok(lines.length > 32, `SWUpdate sent ${lines.length} lines`);
  const shown = await fleet.api("GET", "/devices/dev1");
  assert.equal(shown.state, "failed");
  assert.match(shown.reason, /No suitable \.swu image found$/);
});
