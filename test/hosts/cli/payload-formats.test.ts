import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createKeyPair } from "../../../hosts/release/pem-keys.ts";
import { sluice, temporaryFolder } from "../../support/command-line.ts";
import { imgtool, skipWithoutImgtool } from "../../support/imgtool.ts";

const keys = createKeyPair();
/** 0x22 bytes at 0x20000, a gap of 0x1e, 4 bytes, an entry point. */
const hex = [
  ":020000040002F8",
  `:20000000${"00".repeat(32)}E0`,
  ":02002000DEAD53",
  ":0400400001020304B2",
  ":0400000500020000F5",
  ":00000001FF",
].join("\r\n");

function workplace(context: TestContext) {
  const folder = temporaryFolder(context);
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const key = file("key.pem", keys.privatePem);
  const out = join(folder, "out.img");
  const image = (input: string, ...more: string[]) =>
    sluice(
      ...["image", "sign", "--version", "1.0.0", "--slot-size", "0x20000", "--key", key],
      ...[...more, input, out],
    );
  const release = (input: string, ...more: string[]) =>
    sluice(
      ...["release", "sign", input, "--version", "1.0.0", "--hardware", "esp32c3-b", "--key", key],
      ...["--security-counter", "1", "--out", out, ...more],
    );
  return { folder, file, key, out, image, release };
}

test("neither command signs what no bootloader starts, and each says the next step", async (context) => {
  const { file, out, image, release } = workplace(context);
  const inputs: ReadonlyArray<readonly [string, string | Uint8Array, RegExp]> = [
    ["empty.bin", "", /is empty/],
    ["zephyr.elf", Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 1, 1), /ELF.*zephyr\.bin/],
    ["app.bin", "S00600004844521B\n", /objcopy -I srec/],
    ["cut.hex", hex.slice(0, 60), /Intel HEX, and line 2 is wrong/],
    ["app.zip", Uint8Array.of(0x50, 0x4b, 3, 4), /unpack it/],
    ["error.bin", "<html>404</html>", /web page/],
  ];
  for (const [name, content, says] of inputs)
    for (const sign of [image, release]) {
      const run = await sign(file(name, content), ...(sign === image ? ["--pad-header"] : []));
      assert.equal(run.exitCode, 65, `${name} ${run.stderr}`);
      assert.match(run.stderr, says);
      assert.ok(!existsSync(out));
    }
});

test("signs an image within an image only when told to", async (context) => {
  const { folder, file, out, image, release } = workplace(context);
  assert.equal((await image(file("app.bin", "firmware"), "--pad-header")).exitCode, 0);
  const nested = file("signed.bin", readFileSync(out));
  const hidden = file("hidden.bin", Buffer.concat([Buffer.alloc(32), readFileSync(out)]));
  for (const run of [
    await image(nested, "--pad-header"),
    await image(nested),
    await image(hidden),
    await release(nested),
  ]) {
    assert.equal(run.exitCode, 65, run.stderr);
    assert.match(run.stderr, /is a signed image already.*--allow-nested/);
  }
  assert.equal((await image(nested, "--pad-header", "--allow-nested")).exitCode, 0);
  assert.equal((await release(nested, "--allow-nested")).exitCode, 0);
  assert.ok(existsSync(join(folder, "out.img")));
});

test("Intel HEX becomes the binary that it stands for, and tells so", async (context) => {
  const { file, out, image, release } = workplace(context);
  const binary = Buffer.alloc(0x44, 0xff);
  binary.fill(0, 0, 32);
  binary.set([0xde, 0xad], 32);
  binary.set([1, 2, 3, 4], 0x40);
  const made = await image(file("app.hex", hex));
  assert.equal(made.exitCode, 0, made.stderr);
  assert.match(made.stderr, /Intel HEX of 68 bytes from 0x20000 on, 30 bytes of gaps/);
  const fromHex = readFileSync(out);
  assert.equal((await image(file("app.bin", binary))).exitCode, 0);
  assert.ok(fromHex.equals(readFileSync(out)));
  const released = await release(file("any.name", hex));
  assert.equal(released.exitCode, 0, released.stderr);
  const named = await sluice("image", "sign", "-v", "1.0.0", "-S", "0x20000", "in.bin", "out.hex");
  assert.equal(named.exitCode, 2);
  assert.match(named.stderr, /written as binaries/);
});

test("imgtool makes the same image of the same Intel HEX", {
  skip: skipWithoutImgtool,
}, async (context) => {
  const { folder, file, key, out, image } = workplace(context);
  for (const more of [[], ["--pad-header"]]) {
    assert.equal((await image(file("app.hex", hex), ...more)).exitCode, 0);
    const theirs = join(folder, "theirs.bin");
    const made = imgtool(
      ...["sign", "--key", key, "--version", "1.0.0", "--slot-size", "0x20000", "--align", "4"],
      ...["--header-size", "32", ...more, join(folder, "app.hex"), theirs],
    );
    assert.equal(made.exitCode, 0, made.output);
    // The signatures differ: imgtool's have a random number.
    const signedBytes = readFileSync(out).readUInt32LE(12) + 32;
    assert.ok(
      readFileSync(theirs)
        .subarray(0, signedBytes)
        .equals(readFileSync(out).subarray(0, signedBytes)),
    );
  }
});

test("refuses TLVs that no device would read", async (context) => {
  const { file, out, image } = workplace(context);
  const input = file("app.bin", "firmware");
  const long = await image(
    input,
    "--pad-header",
    "--custom-tlv",
    "0x00a7",
    `0x${"00".repeat(9000)}`,
  );
  assert.equal(long.exitCode, 65, long.stderr);
  assert.match(long.stderr, /TLVs have \d+ bytes, a device reads 8192/);
  const facts = await image(input, "--pad-header", "--custom-tlv", "0x00a3", "no JSON");
  assert.match(facts.stderr, /devices would refuse the image \(release-facts-malformed\)/);
  assert.ok(!existsSync(out));
});
