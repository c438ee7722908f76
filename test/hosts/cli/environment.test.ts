import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { environmentError } from "../../../hosts/cli/command/environment-error.ts";
import { CommandError } from "../../../hosts/cli/command/exit.ts";
import { lockFile } from "../../../hosts/files/file-lock.ts";
import { sluice, temporaryFolder } from "../../support/command-line.ts";

const main = fileURLToPath(new URL("../../../hosts/cli/main.ts", import.meta.url));

function workplace(context: TestContext) {
  const folder = temporaryFolder(context);
  const at = (name: string): string => join(folder, name);
  writeFileSync(at("file"), "x");
  writeFileSync(at("passphrase"), "correct horse battery\n");
  mkdirSync(at("folder"));
  return { folder, at };
}

test("what a path leads to is told in one line, with 65 and the next step", async (context) => {
  const { folder, at } = workplace(context);
  const long = at("n".repeat(300));
  const loop = at("loop");
  spawnSync("ln", ["-s", "loop", loop]);
  const before = readdirSync(folder).sort();
  const words = ["--passphrase-file", at("passphrase")];
  const create = ["keys", "create", "--name", "a", "--role", "root", ...words, "--keyring"];
  const sign = ["image", "sign", "-v", "1.0.0", "-S", "0x20000", "--pad-header", at("file")];
  const cases: ReadonlyArray<readonly [readonly string[], RegExp]> = [
    [["image", "info", at("none")], /there is no such file/],
    [["image", "info", at("folder")], /it is a folder/],
    [["image", "info", at("file/x")], /a part of the path is a file/],
    [["image", "info", long], /its name is too long/],
    [["image", "info", loop], /links go in a circle/],
    [["image", "info", "a\u0000b"], /zero byte/],
    [[...sign, at("folder")], /it is a folder/],
    [[...sign, at("none/out")], /there is no such file or folder/],
    [[...sign, "/dev/full"], /the disk is full/],
    [["keys", "create", "--out", at("none/k.pem")], /there is no such file or folder/],
    [["keys", "create", "--out", at("k.pem"), "--public", at("none/p.pem")], /no such file/],
    [["keys", "create", "--out", at("k.pem"), "--public", "/dev/full"], /the disk is full/],
    [[...create, at("file")], /a folder is needed|it exists/],
    [["trust", "verify", "--repository", at("file")], /a folder is needed/],
    [["trust", "refresh", "root", "--repository", at("none")], /has no root; run "sluice trust/],
    [["trust", "set-threshold", "root", "2", "--repository", at("none")], /has no root/],
    [["keys", "list", "--keyring", at("file")], /a folder is needed|no keyring/],
    [
      [
        "release",
        "sign",
        at("none"),
        "--key",
        at("none"),
        "--out",
        at("o"),
        "--version",
        "1.0.0",
        "--hardware",
        "esp32c3-b",
        "--security-counter",
        "1",
      ],
      /no such file/,
    ],
    [["audit", "verify", "--log", at("folder"), "--keyring", at("none")], /it is a folder/],
    [["config", "sign", at("file"), "--out", at("o"), "--key", at("file")], /is no JSON/],
    [["simulate", "--flash", at("file"), "--layout", at("none")], /no such file/],
    [["fleet", "serve", "--data", at("d"), "--port", "0", "--image-key", at("folder")], /folder/],
  ];
  for (const [line, says] of cases) {
    const { exitCode, stderr } = await sluice(...line);
    assert.equal(exitCode, 65, `${line.join(" ")}: ${stderr}`);
    assert.match(stderr, says);
    assert.equal(stderr.match(/^sluice: /gm)?.length, 1, stderr);
    assert.match(stderr.trimEnd().split("\n").at(-1) ?? "", /^sluice: (?!internal error)/);
  }
  assert.deepEqual(
    readdirSync(folder)
      .filter((name) => name !== "d")
      .sort(),
    before,
  );
});

test("a keyring that another process holds is told with that process", async (context) => {
  const { at } = workplace(context);
  const lock = await lockFile(at("keyring.json"), { purpose: "another command", waitMsMax: 0 });
  context.after(() => lock.release());
  const held = await lockFile(at("keyring.json"), { purpose: "a", waitMsMax: 0 }).catch(
    (error: unknown) => error,
  );
  const told = environmentError(held) as CommandError;
  assert.ok(told instanceof CommandError);
  assert.equal(told.exitCode, 65);
  assert.match(told.message, /in use by another command, process \d+/);
});

test("faults of the machine are told as such, and of ours as ours", () => {
  const fault = (code: string, more: object = {}): Error =>
    Object.assign(new Error("raw text"), { code, ...more });
  const cases: ReadonlyArray<readonly [Error, number, RegExp]> = [
    [fault("EROFS", { syscall: "open", path: "/x" }), 65, /cannot open \/x: .*read-only/],
    [fault("EACCES", { syscall: "mkdir", path: "/x" }), 65, /make the folder \/x: no permission/],
    [fault("EMFILE", { syscall: "open", path: "/x" }), 65, /ulimit -n/],
    [fault("ENOSPC", { syscall: "write" }), 65, /disk is full/],
    [fault("ENOENT", { syscall: "spawn cc", path: "cc" }), 65, /cannot start cc/],
    [fault("ENOTFOUND", { syscall: "getaddrinfo", hostname: "a.invalid" }), 69, /find a\.invalid/],
    [fault("EADDRINUSE", { syscall: "listen", address: "::1", port: 80 }), 69, /::1:80.*--port/],
    [fault("EACCES", { syscall: "listen", address: "::1", port: 80 }), 69, /below 1024/],
    [fault("ERR_SQLITE_ERROR", { errcode: 26 }), 65, /no database of ours/],
    [fault("ERR_SQLITE_ERROR", { errcode: 1032 }), 65, /cannot be written/],
  ];
  for (const [error, exitCode, says] of cases) {
    const told = environmentError(error);
    assert.ok(told instanceof CommandError, String(error));
    assert.equal(told.exitCode, exitCode);
    assert.match(told.message, says);
  }
  for (const ours of [new TypeError("x is undefined"), fault("ERR_ASSERTION"), "text"])
    assert.equal(environmentError(ours), ours);
});

test("a full disk under the result is told, and a reader that has seen enough is not", (context) => {
  const { at } = workplace(context);
  const shell = (script: string) =>
    spawnSync("/bin/sh", ["-c", script, "sh", process.execPath, main, at("k.pem")], {
      encoding: "utf8",
    });
  const full = shell('"$1" "$2" keys create --out "$3" > /dev/full');
  assert.equal(full.status, 65, full.stderr);
  assert.match(full.stderr, /cannot write the result: the disk is full/);
  const closed = shell('{ "$1" "$2" image --help; echo "$?" >&2; } | true');
  assert.equal(closed.stderr, "0\n");
});

test("an enrolment and a partition that go into one flash file at once both count", async (context) => {
  const { at } = workplace(context);
  await sluice("keys", "create", "--out", at("k.pem"), "--public", at("p.pem"));
  const flash = new Uint8Array(4 * 1024 * 1024).fill(0xff);
  writeFileSync(at("flash.bin"), flash);
  writeFileSync(at("part"), "part");
  const enrol = sluice(
    ...[
      "device",
      "enroll",
      "kitchen",
      "--server",
      "http://127.0.0.1:8080",
      "--file",
      at("flash.bin"),
    ],
    ...["--device-token", "device-token", "--hardware", "esp32c3-a", "--image-key", at("p.pem")],
  );
  const place = sluice("board", "flash", at("part"), "--offset", "16", "--file", at("flash.bin"));
  for (const { exitCode, stderr } of [await enrol, await place]) assert.equal(exitCode, 0, stderr);
  const after = readFileSync(at("flash.bin"));
  assert.equal(after.subarray(16, 20).toString(), "part");
  assert.ok(after.includes("device-token"));
});
