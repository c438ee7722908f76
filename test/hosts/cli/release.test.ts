import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createKeyPair } from "../../../hosts/release/pem-keys.ts";
import { sluice, temporaryFolder } from "../../support/command-line.ts";

const keys = createKeyPair();
const smallBoard = {
  flash_size: 0x60000,
  sector_size: 4096,
  primary: { offset: 0x10000, size: 0x20000 },
  secondary: { offset: 0x30000, size: 0x20000 },
  bootctl: { offset: 0x50000, size: 0x1000 },
  storage: { offset: 0x51000, size: 0x3000 },
};

function workplace(context: TestContext): {
  root: string;
  out: string;
  key: string;
  publicKey: string;
  image: string;
} {
  const folder = temporaryFolder(context);
  const root = join(folder, "sources");
  mkdirSync(root);
  writeFileSync(join(root, "main.ts"), 'import log from "log";\nlog("hello");\n');
  const key = join(folder, "key.pem");
  writeFileSync(key, keys.privatePem);
  const publicKey = join(folder, "public.pem");
  writeFileSync(publicKey, keys.publicPem);
  return { root, out: join(folder, "out"), key, publicKey, image: join(folder, "app.image") };
}

const build = (root: string, out: string, ...rest: string[]) =>
  sluice(
    ...["release", "build", "--root", root, "--entry", "main.ts", "--out", out],
    ...["--version", "1.2.3", "--hardware", "esp32c3-b", ...rest],
  );

test("builds and signs an image that says what it is, and that verifies", async (context) => {
  const { root, out, key, publicKey, image } = workplace(context);
  const built = await build(root, out, "--json");
  assert.equal(built.exitCode, 0, built.stderr);
  const manifest = JSON.parse(built.stdout);
  assert.deepEqual(JSON.parse(readFileSync(join(out, "manifest.json"), "utf8")), manifest);
  const sign = ["release", "sign", out, "--key", key, "--security-counter", "5", "--json"];
  const signed = await sluice(...sign, "--layout", "esp32-4m", "--out", image);
  assert.equal(signed.exitCode, 0, signed.stderr);
  const [told] = JSON.parse(signed.stdout).images;
  assert.deepEqual(
    [told.file, told.version, told.hardware, told.securityCounter, told.imageBytesMax],
    [image, "1.2.3", "esp32c3-b", 5, 1822720],
  );
  const info = JSON.parse((await sluice("image", "info", image, "--json")).stdout);
  assert.equal(info.imageHash, told.imageHash);
  assert.equal(info.buildId, manifest.artifacts[0].buildId);
  assert.equal((await sluice("image", "verify", image, "--key", publicKey)).exitCode, 0);
});

test("several hardwares give several payloads and a folder of images", async (context) => {
  const { root, out, key, image } = workplace(context);
  assert.equal((await build(root, out, "--hardware", "esp32c3-b,esp32c6-a")).exitCode, 0);
  const signed = await sluice(
    ...["release", "sign", out, "--key", key, "--out", image],
    ...["--security-counter", "auto", "--raise-counter"],
  );
  assert.equal(signed.exitCode, 0, signed.stderr);
  const files = ["sluice-1.2.3-esp32c3-b.image", "sluice-1.2.3-esp32c6-a.image"];
  assert.deepEqual(readdirSync(image).sort(), files);
  const info = await sluice("image", "info", join(image, files[1] ?? ""), "--json");
  const { hardware, securityCounter } = JSON.parse(info.stdout);
  assert.deepEqual([hardware, securityCounter], ["esp32c6-a", 0x01020003]);
});

test("refuses a payload that was changed after it was built", async (context) => {
  const { root, out, key, image } = workplace(context);
  await build(root, out);
  writeFileSync(join(out, "sluice-1.2.3-esp32c3-b-release.payload"), "changed");
  const signed = await sluice(
    ...["release", "sign", out, "--key", key, "--security-counter", "1", "--out", image],
  );
  assert.equal(signed.exitCode, 65);
  assert.match(signed.stderr, /was changed after it was built: .* build it again/);
});

test("signs a payload of another tool when its version and hardware are given", async (context) => {
  const { root, key, image } = workplace(context);
  const payload = join(root, "zephyr.bin");
  writeFileSync(payload, new Uint8Array(1000));
  const sign = ["release", "sign", payload, "--key", key, "--security-counter", "1"];
  const refused = await sluice(...sign, "--out", image);
  assert.equal(refused.exitCode, 2);
  assert.match(refused.stderr, /no manifest\.json beside .*; give --version and --hardware/);
  const facts = ["--version", "2.0.0", "--hardware", "esp32c3-b", "--slot-size", "0x10000"];
  assert.equal((await sluice(...sign, ...facts, "--out", image)).exitCode, 0);
  assert.equal(
    JSON.parse((await sluice("image", "info", image, "--json")).stdout).version,
    "2.0.0",
  );
});

test("refuses a payload that does not fit the layout, with the numbers", async (context) => {
  const { root, key, image } = workplace(context);
  const payload = join(root, "zephyr.bin");
  writeFileSync(payload, new Uint8Array(60000));
  const signed = await sluice(
    ...["release", "sign", payload, "--key", key, "--security-counter", "1", "--out", image],
    ...["--version", "2.0.0", "--hardware", "esp32c3-b", "--slot-size", "0x10000"],
  );
  assert.equal(signed.exitCode, 65);
  assert.match(signed.stderr, /a slot of 65536 bytes takes at most 57344/);
});

test("tells the place of a mistake in the sources, and missing keys, entries and layouts", async (context) => {
  const { root, out, key, image } = workplace(context);
  writeFileSync(join(root, "main.ts"), "const x = ;\n");
  const broken = await build(root, out);
  assert.equal(broken.exitCode, 65);
  assert.match(broken.stderr, /^sluice: cannot build the firmware: main\.ts:1: Unexpected ";"\n$/);
  const absent = await build(root, out, "--entry", "other.ts");
  assert.match(absent.stderr, /there is no file other\.ts in the folder of the sources/);
  const sign = ["release", "sign", root, "--security-counter", "1", "--out", image];
  assert.match((await sluice(...sign)).stderr, /give the key to sign with: --key PEM/);
  const layout = await sluice(...sign, "--key", key, "--layout", "esp8266");
  assert.equal(layout.exitCode, 65);
  assert.match(layout.stderr, /cannot read the manifest/);
});

const badLayouts: ReadonlyArray<readonly [string, object, RegExp]> = [
  ["unequal", { secondary: { offset: 0x30000, size: 0x1f000 } }, /131072 bytes, secondary 126976/],
  [
    "overlapping",
    { secondary: { offset: 0x20000, size: 0x20000 } },
    /primary ends at 196608, secondary starts at 131072/,
  ],
  ["unaligned", { primary: { offset: 0x10800, size: 0x20000 } }, /131072 bytes at 67584/],
];

for (const [name, change, says] of badLayouts)
  test(`neither builds nor signs for a layout with ${name} slots`, async (context) => {
    const { root, out, key, image } = workplace(context);
    const layout = join(root, "layout.json");
    writeFileSync(layout, JSON.stringify({ ...smallBoard, ...change }));
    const built = await build(root, out, "--layout", layout);
    assert.equal(built.exitCode, 65);
    assert.match(built.stderr, says);
    assert.equal((await build(root, out)).exitCode, 0);
    const signed = await sluice(
      ...["release", "sign", out, "--key", key, "--security-counter", "1", "--out", image],
      ...["--layout", layout],
    );
    assert.equal(signed.exitCode, 65);
    assert.match(signed.stderr, says);
  });

test("builds for a layout from a file, and nothing that its slots cannot swap", async (context) => {
  const { root, out } = workplace(context);
  const layout = join(root, "layout.json");
  writeFileSync(layout, JSON.stringify(smallBoard));
  assert.equal((await build(root, out, "--layout", layout)).exitCode, 0);
  writeFileSync(join(root, "main.ts"), `export const text = "${"x".repeat(130_000)}";\n`);
  const refused = await build(root, join(out, "none"), "--layout", layout);
  assert.equal(refused.exitCode, 65);
  assert.match(refused.stderr, /a slot of 131072 bytes takes at most 122880 .* bytes too many/);
  assert.equal(existsSync(join(out, "none")), false);
  const odd = await build(root, out, "--slot-size", "130000");
  assert.match(odd.stderr, /130000 bytes at 0, does not lie on whole sectors of 4096 bytes/);
  const unknown = await build(root, out, "--layout", "esp8266");
  assert.equal(unknown.exitCode, 2);
  assert.match(unknown.stderr, /must be one of esp32-4m, esp32-8m, esp32-16m/);
});

test("what a release says of itself is given to the build or when it is signed, and shown", async (context) => {
  const { root, out, key, publicKey, image } = workplace(context);
  const wishes = ["--breaking", "--stepping-stone", "1.2.0", "--schema-min", "2"];
  assert.equal((await build(root, out, ...wishes)).exitCode, 0);
  const more = ["--override-window", "--also-hardware", "esp32c3-a", "--bootloader-min", "2.1.0"];
  const signed = await sluice(
    ...["release", "sign", out, "--key", key, "--security-counter", "1", "--out", image, ...more],
  );
  assert.equal(signed.exitCode, 0, signed.stderr);
  assert.deepEqual(JSON.parse((await sluice("image", "info", image, "--json")).stdout).release, {
    hardware: ["esp32c3-b", "esp32c3-a"],
    breaking: true,
    downgradeAllowed: false,
    bootloaderVersionMin: "2.1.0",
    configurationSchemas: { min: 2, max: 65535 },
    steppingStone: "1.2.0",
    windowOverride: true,
  });
  const { stdout } = await sluice("image", "info", image);
  for (const line of [/^runs on +esp32c3-b, esp32c3-a$/m, /^schemas +2 to 65535$/m, /^breaking /m])
    assert.match(stdout, line);
  assert.equal((await sluice("image", "verify", image, "--key", publicKey)).exitCode, 0);
});

test("refuses what no device could follow", async (context) => {
  const { root, out } = workplace(context);
  const cases: ReadonlyArray<readonly [string[], RegExp]> = [
    [
      ["--stepping-stone", "1.2.3"],
      /--stepping-stone 1\.2\.3 is not older than the release, 1\.2\.3/,
    ],
    [["--schema-min", "3", "--schema-max", "2"], /--schema-min 3 is above --schema-max 2/],
    [["--also-hardware", "ESP32"], /Must be a hardware id/],
    [["--bootloader-min", "new"], /Must be major\.minor\.revision/],
  ];
  for (const [wishes, says] of cases) {
    const refused = await build(root, out, ...wishes);
    assert.equal(refused.exitCode, 2, refused.stderr);
    assert.match(refused.stderr, says);
  }
});

test("the security counter stays that of the release before unless it is to be raised", async (context) => {
  const { root, out, key, image } = workplace(context);
  await build(root, out);
  const sign = (...rest: string[]) =>
    sluice("release", "sign", out, "--key", key, "--json", "--out", image, ...rest);
  const counter = async (...rest: string[]): Promise<number> => {
    const signed = await sign(...rest);
    assert.equal(signed.exitCode, 0, signed.stderr);
    return JSON.parse(signed.stdout).images[0].securityCounter;
  };
  const unknown = await sign();
  assert.equal(unknown.exitCode, 2);
  assert.match(unknown.stderr, /the security counter is not known: give --previous/);
  assert.equal(await counter("--security-counter", "7"), 7);
  assert.equal(await counter("--previous", image), 7);
  assert.equal(await counter("--previous", image, "--raise-counter"), 8);
  assert.equal(
    await counter("--previous", image, "--raise-counter", "--security-counter", "12"),
    12,
  );
  const refusals: ReadonlyArray<readonly [string[], RegExp]> = [
    [["--previous", image, "--security-counter", "11"], /11 is below 12, which the release before/],
    [["--previous", image, "--security-counter", "13"], /13 is above 12.*add --raise-counter/],
    [["--security-counter", "auto"], /auto raises the counter with every version/],
  ];
  for (const [rest, says] of refusals) {
    const refused = await sign(...rest);
    assert.equal(refused.exitCode, 2);
    assert.match(refused.stderr, says);
  }
  const foreign = await sign("--previous", join(out, "manifest.json"));
  assert.equal(foreign.exitCode, 65);
  assert.match(foreign.stderr, /holds no image for esp32c3-b/);
});

test("a build that is to raise the counter says so to whoever signs it", async (context) => {
  const { root, out, key, image } = workplace(context);
  const sign = (...rest: string[]) =>
    sluice("release", "sign", out, "--key", key, "--json", "--out", image, ...rest);
  await build(root, out);
  await sign("--security-counter", "3");
  await build(root, out, "--raise-counter");
  const signed = await sign("--previous", image);
  assert.equal(JSON.parse(signed.stdout).images[0].securityCounter, 4);
  const manifest = join(out, "manifest.json");
  const json = JSON.parse(readFileSync(manifest, "utf8"));
  writeFileSync(manifest, JSON.stringify({ ...json, release: { raiseCounters: true } }));
  assert.match((await sign("--previous", image)).stderr, /has a "release" that cannot be read/);
});

test("an output that ends with a slash is a folder, for one image too", async (context) => {
  const { root, out, key } = workplace(context);
  await build(root, out);
  const images = join(root, "images");
  const signed = await sluice(
    ...["release", "sign", out, "--key", key, "--security-counter", "1", "--out", `${images}/`],
  );
  assert.equal(signed.exitCode, 0, signed.stderr);
  assert.deepEqual(readdirSync(images), ["sluice-1.2.3-esp32c3-b.image"]);
});
