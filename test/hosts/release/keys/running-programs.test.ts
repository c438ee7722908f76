import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { hangMs } from "../../../support/patience.ts";

const moduleUrl = new URL("../../../../hosts/release/keys/running-programs.ts", import.meta.url)
  .href;

/** A program of a program: it connects, says so much, and ends with its connection. */
const helper = `require("net").connect(+process.argv[1], "127.0.0.1")
  .on("connect", () => process.stdout.write("x".repeat(+process.argv[2])))
  .on("close", () => process.exit())`;

/** Someone without a terminal, like a server, who asks a script that starts a helper. */
async function asking(t: TestContext, saidBytes: number) {
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const argv = [
    "-c",
    '"$@" & wait',
    "sh",
    process.execPath,
    "-e",
    helper,
    `${port}`,
    `${saidBytes}`,
  ];
  const question = { command: "/bin/sh", argv, environment: {}, waitMs: hangMs };
  const program = `
    import { RunningPrograms } from ${JSON.stringify(moduleUrl)};
    const programs = new RunningPrograms();
    process.stdin.on("data", () => programs.end());
    const end = await programs.run({ ...${JSON.stringify(question)}, input: new Uint8Array(32) });
    console.log(end.kind, end.signal);
    process.stdin.on("end", () => process.exit());`;
  const asker = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], {
    detached: true,
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => asker.kill("SIGKILL"));
  const [socket] = (await once(server, "connection")) as [Socket];
  t.after(() => socket.destroy());
  socket.on("error", () => {}); // a helper that is killed may reset its connection
  socket.resume();
  return { asker, socket };
}

test("a program that is ended takes along what it started", { timeout: hangMs }, async (t) => {
  const { asker, socket } = await asking(t, 0);
  const gone = once(socket, "close");
  asker.stdin.write("end\n");
  const [told] = await once(asker.stdout, "data");
  assert.equal(String(told), "ended SIGKILL\n");
  await gone;
  assert.equal(asker.exitCode, null, "the one who asked lives on");
});

test("a program that says too much takes along what it started", { timeout: hangMs }, async (t) => {
  const { asker, socket } = await asking(t, 100_000);
  const gone = once(socket, "close");
  const [told] = await once(asker.stdout, "data");
  assert.equal(String(told), "too-long undefined\n");
  await gone;
  assert.equal(asker.exitCode, null, "the one who asked lives on");
});
