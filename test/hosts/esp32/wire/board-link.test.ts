// The command at a port of this machine that `script` of util-linux makes: a board is at the other
// end.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { wireBaud } from "../../../../hosts/esp32/wire/board-link.ts";
import { readBoards } from "../../../support/board-overlays.ts";
import { WireEnd } from "../../../support/wire-end.ts";

const root = join(import.meta.dirname, "../../../..");
const skip =
  process.platform !== "linux" || !existsSync("/usr/bin/script")
    ? "needs Linux and script of util-linux, which makes a port"
    : false;

/** A serial port, and the board behind it. */
async function plugIn(t: TestContext): Promise<{ port: string; board: WireEnd; pull(): void }> {
  const child = spawn("script", ["-qfc", "tty; exec sleep 3600", "/dev/null"], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  child.stdin.on("error", () => {}); // of a port that was pulled out
  const pull = (): void => void child.kill("SIGKILL"); // what it started goes with its terminal
  t.after(pull);
  let isNamed = false;
  const board = new WireEnd((bytes) => void child.stdin.write(bytes));
  const port = await new Promise<string>((resolve) => {
    let text = "";
    child.stdout.on("data", (part: Buffer) => {
      if (isNamed) board.take(part);
      text = isNamed ? "" : text + part.toString("latin1");
      const name = /^(\/dev\/\S+)\r?\n/.exec(text)?.[1];
      if (name === undefined) return;
      isNamed = true;
      resolve(name);
    });
  });
  return { port, board, pull };
}

/** `sluice board link`, and what it says. */
class Link {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  readonly ended: Promise<number | null>;
  #waiting: (() => void)[] = [];

  constructor(t: TestContext, ...parameters: string[]) {
    this.child = spawn(
      process.execPath,
      [join(root, "hosts/cli/main.ts"), "board", "link", ...parameters],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    t.after(() => this.child.kill("SIGKILL"));
    let rest = "";
    this.child.stderr?.on("data", (part: Buffer) => {
      const parts = (rest + part.toString("utf8")).split("\n");
      rest = parts.pop() ?? "";
      this.lines.push(...parts);
      this.#wake();
    });
    this.ended = new Promise((resolve) =>
      this.child.once("close", (code) => {
        resolve(code);
        this.#wake();
      }),
    );
  }

  async says(pattern: RegExp): Promise<void> {
    while (!this.lines.some((line) => pattern.test(line))) {
      if (this.child.exitCode !== null) assert.fail(`ended without:\n${this.lines.join("\n")}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const call of waiting) call();
  }
}

async function fleet(t: TestContext): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => {}); // the board resets its connections
    socket.on("data", (data) => socket.write(`re: ${data.toString("latin1")}`));
  });
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

const asked = { targetPort: 8080, sourcePort: 5001, answerBytes: 9 };

test("carries a board's connections to the fleet and ends by SIGTERM", { skip }, async (t) => {
  const { port, board } = await plugIn(t);
  const url = `http://127.0.0.1:${await fleet(t)}`;
  const link = new Link(t, "--port", port, "--fleet", url);
  await link.says(/open at 3000000 baud; the board's connections go to 127\.0\.0\.1:/);
  assert.equal(await board.ask("hello", asked), "re: hello");
  await link.says(/^the board is there$/);
  // The wire keeps its order: the second answer tells that the first was acknowledged.
  assert.equal(await board.ask("again", { ...asked, sourcePort: 5002 }), "re: again");
  link.child.kill("SIGTERM");
  assert.equal(await link.ended, 0);
  assert.match(
    link.lines.at(-1) ?? "",
    /^carried 2 connections, (9|18) bytes to the board, 10 from it$/,
  );
});

test("says once that the fleet is not there, and again when it is", { skip }, async (t) => {
  const { port, board } = await plugIn(t);
  const free = createServer();
  await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
  const { port: fleetPort } = free.address() as { port: number };
  await new Promise((resolve) => free.close(resolve));
  const link = new Link(t, "--port", port, "--fleet", `http://127.0.0.1:${fleetPort}`);
  await link.says(/open at/);
  for (const sourcePort of [5001, 5002])
    assert.equal(await board.ask("hello", { ...asked, sourcePort }), "refused");
  await link.says(/cannot be reached \(ECONNREFUSED\): is the fleet server running there/);
  const server = createServer((socket) => socket.end("here"));
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(fleetPort, "127.0.0.1", resolve));
  const answered = await board.ask("hello", { ...asked, sourcePort: 5003, answerBytes: 4 });
  assert.equal(answered, "here");
  await link.says(/answers again/);
  assert.equal(link.lines.filter((line) => line.includes("cannot be reached")).length, 1);
});

test("waits for a port that was unplugged, and ends by SIGINT while it waits", {
  skip,
}, async (t) => {
  const { port, pull } = await plugIn(t);
  const link = new Link(t, "--port", port);
  await link.says(/open at/);
  pull();
  await link.says(/waiting for it$/);
  link.child.kill("SIGINT");
  assert.equal(await link.ended, 0);
});

test("says that what comes is no network", { skip }, async (t) => {
  const { port, board } = await plugIn(t);
  const link = new Link(t, "--port", port);
  await link.says(/open at/);
  for (let round = 0; round < 100; round += 1) board.frame(0x1234, new Uint8Array(60));
  await link.says(/what comes is no frame: is it the board's console/);
});

for (const [name, parameters, exitCode, says] of [
  ["a port that is not there", ["--port", "/dev/ttyNOWHERE"], 65, /there is no port .*ttyNOWHERE/],
  ["a file that is no port", ["--port", "/dev/null"], 65, /\/dev\/null cannot be set|is no serial/],
  ["a file", ["--port", "package.json"], 65, /package\.json is no serial port/],
  ["a speed that no wire has", ["--port", "x", "--baud", "7"], 2, /from 9600 to 4000000/],
  ["an address with a path", ["--port", "x", "--fleet", "http://a/b"], 2, /without a path/],
  ["an address without a scheme", ["--port", "x", "--fleet", "a:80"], 2, /http\(s\)/],
] as const)
  test(`refuses ${name}`, { skip: process.platform === "win32" }, async (t) => {
    const link = new Link(t, ...parameters);
    assert.equal(await link.ended, exitCode);
    assert.match(link.lines.join("\n"), says);
  });

test("has the speed of the boards' wires", () => {
  const speeds = readBoards().map(({ wireBaud: speed }) => speed);
  assert.ok(speeds.length > 0);
  assert.deepEqual([...new Set(speeds)], [wireBaud]);
});
