import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { createKeyPair } from "../../../hosts/release/pem-keys.ts";
import { toHex } from "../../../src/image/hex.ts";
import { storedImage, writtenImages } from "../../src/image/written-images.ts";
import { sluice, temporaryFolder } from "../../support/command-line.ts";
import { imgtool, skipWithoutImgtool } from "../../support/imgtool.ts";

const keys = createKeyPair();
const otherKeys = createKeyPair();

interface Workplace {
  readonly key: string;
  readonly publicKey: string;
  readonly otherKey: string;
  readonly otherPublicKey: string;
  /** 5,000 bytes without a header area. */
  readonly binary: string;
  readonly out: string;
}

function workplace(context: Parameters<typeof temporaryFolder>[0]): Workplace {
  const folder = temporaryFolder(context);
  const file = (name: string, content: string | Uint8Array): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  return {
    key: file("key.pem", keys.privatePem),
    publicKey: file("public.pem", keys.publicPem),
    otherKey: file("other.pem", otherKeys.privatePem),
    otherPublicKey: file("other-public.pem", otherKeys.publicPem),
    binary: file(
      "app.bin",
      Uint8Array.from({ length: 5000 }, (_, i) => (i * 31) & 0xff),
    ),
    out: join(folder, "app.image"),
  };
}

const everything = [
  ...["--version", "1.2.3+4", "--slot-size", "0x10000", "--align", "4", "--header-size", "0x20"],
  ...["--pad-header", "--security-counter", "7", "--dependencies", "(1, 1.0.0+2)"],
  ...["--custom-tlv", "0x00a5", "0xc0ffee", "--custom-tlv", "0x00a6", "board=devkit"],
];

test("signs with one key, tells what it signed, and verifies it", async (context) => {
  const { key, publicKey, binary, out } = workplace(context);
  const own = ["--hardware", "esp32c3-b", "--build-id", "b0b1"];
  const signed = await sluice("image", "sign", "-k", key, ...everything, ...own, binary, out);
  assert.equal(signed.exitCode, 0, signed.stderr);
  const info = JSON.parse((await sluice("image", "info", out, "--json")).stdout);
  assert.deepEqual(
    [info.version, info.hardware, info.buildId, info.securityCounter, info.header.payloadBytes],
    ["1.2.3+4", "esp32c3-b", "b0b1", 7, 5000],
  );
  assert.deepEqual(info.dependencies, [{ imageIndex: 1, versionMin: "1.0.0+2" }]);
  const custom = info.tlvs.filter((tlv: { type: number }) => tlv.type >= 0xa5);
  assert.deepEqual(
    custom.map((tlv: { type: number; bytes: number }) => [tlv.type, tlv.bytes]),
    [
      [0xa5, 3],
      [0xa6, 12],
    ],
  );
  const verified = await sluice("image", "verify", out, "--key", publicKey, "--json");
  assert.equal(verified.exitCode, 0);
  assert.equal(JSON.parse(verified.stdout).imageHash, info.imageHash);
  assert.match(signed.stderr, new RegExp(`image hash ${info.imageHash}`));
});

test("an image that is not valid ends with 1 and the reason", async (context) => {
  const { key, publicKey, otherPublicKey, binary, out } = workplace(context);
  await sluice("image", "sign", "-k", key, ...everything, binary, out);
  const verify = (...rest: string[]) => sluice("image", "verify", out, ...rest);
  const wrongKey = await verify("--key", otherPublicKey);
  assert.equal(wrongKey.exitCode, 1);
  assert.match(wrongKey.stderr, /app\.image is not valid: signature-untrusted: no signature is by/);
  const large = await verify("--key", publicKey, "--max-size", "5000");
  assert.deepEqual([large.exitCode, large.stdout], [1, ""]);
  assert.match(large.stderr, /image-too-large: .* \(--max-size 5,000 bytes\)/);
  const bytes = readFileSync(out);
  bytes[1000] = (bytes[1000] ?? 0) ^ 1;
  writeFileSync(out, bytes);
  const changed = await verify("--key", publicKey, "--json");
  assert.equal(changed.exitCode, 1);
  assert.deepEqual(JSON.parse(changed.stdout), {
    valid: false,
    reason: "hash-mismatch",
    meaning: "it is not what its hash says: changed or damaged",
  });
});

test("two keys give two signatures, each of which is enough", async (context) => {
  const { key, otherKey, publicKey, otherPublicKey, binary, out } = workplace(context);
  await sluice("image", "sign", "-k", key, "-k", otherKey, ...everything, binary, out);
  for (const path of [publicKey, otherPublicKey])
    assert.equal((await sluice("image", "verify", out, "--key", path)).exitCode, 0);
});

test("signing the same binary twice gives the same bytes", async (context) => {
  const { key, binary, out } = workplace(context);
  await sluice("image", "sign", "-k", key, ...everything, binary, out);
  const first = readFileSync(out);
  await sluice("image", "sign", "-k", key, ...everything, binary, out);
  assert.deepEqual(readFileSync(out), first);
});

test("refuses an image that swap-using-move could not take, with the numbers", async (context) => {
  const { key, binary, out } = workplace(context);
  writeFileSync(binary, new Uint8Array(57344 - 32));
  const signed = await sluice("image", "sign", "-k", key, ...everything, binary, out);
  assert.equal(signed.exitCode, 65);
  assert.match(
    signed.stderr,
    /the image has \d{5} bytes, but a slot of 65536 bytes takes at most 57344 .*: \d+ bytes too many/,
  );
});

test("without --pad-header the binary must bring a header area of zeros", async (context) => {
  const { key, binary, out } = workplace(context);
  const sign = ["image", "sign", "-k", key, "-v", "1.0.0", "-S", "65536", binary, out];
  const refused = await sluice(...sign);
  assert.equal(refused.exitCode, 65);
  assert.match(refused.stderr, /does not start with 32 zero bytes .* add --pad-header/);
  writeFileSync(binary, new Uint8Array(100));
  assert.equal((await sluice(...sign)).exitCode, 0);
  const info = JSON.parse((await sluice("image", "info", out, "--json")).stdout);
  assert.equal(info.header.payloadBytes, 68);
});

test("refuses a TLV that is given twice and tags outside the vendor range", async (context) => {
  const { key, binary, out } = workplace(context);
  const twice = ["--hardware", "esp32c3-b", "--custom-tlv", "0xa0", "x"];
  const signed = await sluice("image", "sign", "-k", key, ...everything, ...twice, binary, out);
  assert.match(signed.stderr, /TLV 0xa0 is given twice; 0xa0 is --hardware/);
  const low = await sluice(
    "image",
    "sign",
    ...everything,
    "--custom-tlv",
    "0x50",
    "x",
    binary,
    out,
  );
  assert.equal(low.exitCode, 2);
  assert.match(low.stderr, /tag from 0x00a0 to 0xfffe/);
});

test("info tells a file that is no image, and what is wrong with the TLVs of one", async (context) => {
  const { key, binary, out } = workplace(context);
  const none = await sluice("image", "info", binary);
  assert.deepEqual([none.exitCode, none.stdout], [65, ""]);
  assert.match(none.stderr, /is no image: it does not start with the magic/);
  await sluice("image", "sign", "-k", key, ...everything, binary, out);
  writeFileSync(out, readFileSync(out).subarray(0, 4000));
  const cut = await sluice("image", "info", out);
  assert.equal(cut.exitCode, 0);
  assert.match(cut.stdout, /problem +its TLVs reach beyond the end/);
});

describe("beside MCUboot's imgtool", { skip: skipWithoutImgtool }, () => {
  let signatureStart = 0;
  before(() => {
    // header, payload, protected TLVs, TLV info, hash, key hash: all that both tools must write
    // alike
    const protectedTlvs = 4 + 8 + 16 + 7 + 16;
    signatureStart = 32 + 5000 + protectedTlvs + 4 + 36 + 36;
  });

  test("both write the same image but for the signature, and verify each other's", async (context) => {
    const { key, publicKey, binary, out } = workplace(context);
    assert.equal(
      (await sluice("image", "sign", "-k", key, ...everything, binary, out)).exitCode,
      0,
    );
    const theirs = `${out}.imgtool`;
    const signed = imgtool("sign", "-k", key, ...everything, binary, theirs);
    assert.equal(signed.exitCode, 0, signed.output);
    const infoSize = (bytes: Uint8Array) => bytes.fill(0, 5032 + 51 + 2, 5032 + 51 + 4); // depends on the signature
    assert.equal(
      toHex(infoSize(readFileSync(out).subarray(0, signatureStart))),
      toHex(infoSize(readFileSync(theirs).subarray(0, signatureStart))),
    );
    const verified = imgtool("verify", "-k", key, out);
    assert.equal(verified.exitCode, 0, verified.output);
    assert.match(verified.output, /correctly validated.*1\.2\.3\+4/s);
    assert.equal((await sluice("image", "verify", theirs, "--key", publicKey)).exitCode, 0);
  });

  test("padded and confirmed slots have the same size, magic and flags", async (context) => {
    const { key, binary, out } = workplace(context);
    const common = ["-v", "1.0.0", "-S", "0x10000", "-H", "32", "--pad-header"];
    for (const form of [
      ["--align", "4", "--pad"],
      ["--align", "4", "--confirm"],
      ["--align", "32", "--max-align", "32", "--confirm"],
    ]) {
      const ours = await sluice("image", "sign", "-k", key, ...common, ...form, binary, out);
      assert.equal(ours.exitCode, 0, ours.stderr);
      const theirs = `${out}.imgtool`;
      const sectors = ["--max-sectors", "16"];
      const signed = imgtool("sign", "-k", key, ...common, ...form, ...sectors, binary, theirs);
      assert.equal(signed.exitCode, 0, signed.output);
      assert.deepEqual(readFileSync(out).subarray(6000), readFileSync(theirs).subarray(6000));
    }
  });

  test("it accepts the stored images of this project", async (context) => {
    const { out } = workplace(context);
    for (const vector of writtenImages) {
      writeFileSync(out, storedImage(vector));
      const verified = imgtool("verify", out);
      assert.equal(verified.exitCode, 0, `${vector.name}: ${verified.output}`);
    }
  });
});
