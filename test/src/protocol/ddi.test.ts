import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  actionIdOfLink,
  deploymentBytesMax,
  encodeConfigData,
  encodeFeedback,
  parseCancel,
  parseDeployment,
  parsePoll,
  pollBytesMax,
} from "../../../src/protocol/ddi.ts";
import { urlLengthMax } from "../../../src/protocol/url.ts";

const utf8 = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const sha256 = "0f".repeat(32);
const imageHash = "1e".repeat(32);
const url = "http://server:8080/T/controller/v1/d/softwaremodules/1/artifacts/fw.bin";

const config = { polling: { sleep: "00:05:00" } };

const artifact = {
  filename: "fw.bin",
  hashes: { sha1: "", md5: "", sha256 },
  size: 4096,
  _links: { download: { href: url }, "download-http": { href: `${url}?plain` } },
};

const chunk = {
  part: "bApp",
  version: "1.2.3",
  name: "firmware",
  artifacts: [artifact],
  metadata: [
    { key: "other", value: "x" },
    { key: "sluice-image-hash", value: imageHash },
  ],
};

const body = { id: "42", deployment: { download: "forced", update: "forced", chunks: [chunk] } };

const withChunk = (changes: object): unknown => ({
  ...body,
  deployment: { ...body.deployment, chunks: [{ ...chunk, ...changes }] },
});
const withArtifact = (changes: object): unknown =>
  withChunk({ artifacts: [{ ...artifact, ...changes }] });

function deploymentOf(value: unknown) {
  const parsed = parseDeployment(utf8(value));
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.offer;
}

function imageHashOf(value: unknown) {
  const deployment = deploymentOf(value);
  assert.equal(deployment.kind, "firmware");
  return "imageHash" in deployment ? deployment.imageHash : undefined;
}

// ---- poll

test("reads the interval and all three links of a poll", () => {
  const link = (name: string) => ({ href: `http://server/T/controller/v1/d/${name}` });
  const poll = parsePoll(
    utf8({
      config,
      _links: {
        deploymentBase: link("deploymentBase/1?c=-7"),
        cancelAction: link("cancelAction/1"),
        configData: link("configData"),
        installedBase: link("installedBase/1"),
      },
    }),
  );
  assert.deepEqual(poll, {
    sleepSeconds: 300,
    offerUrl: "http://server/T/controller/v1/d/deploymentBase/1?c=-7",
    cancelUrl: "http://server/T/controller/v1/d/cancelAction/1",
    configDataUrl: "http://server/T/controller/v1/d/configData",
    takesCounters: false,
  });
});

test("takes a link to counters for a server that takes them, and a malformed one for none", () => {
  const takes = (counters: unknown) => parsePoll(utf8({ config, _links: { counters } }));
  assert.equal(takes({ href: "http://server/T/controller/v1/d/counters" })?.takesCounters, true);
  for (const malformed of [{ href: "" }, { href: 5 }, {}, "counters", null])
    assert.equal(takes(malformed)?.takesCounters, false);
});

test("takes a poll without links for one that wants nothing", () => {
  const links = { offerUrl: null, cancelUrl: null, configDataUrl: null };
  const nothing = { sleepSeconds: 300, ...links, takesCounters: false };
  assert.deepEqual(parsePoll(utf8({ config })), nothing);
  assert.deepEqual(parsePoll(utf8({ config, _links: {} })), nothing);
});

for (const [sleep, seconds] of [
  ["00:00:01", 1],
  ["00:00:00", 1],
  ["01:02:03", 3723],
  ["100:00:00", 360_000],
  ["999:59:59", 604_800],
] as const)
  test(`takes the interval ${sleep} for ${seconds} seconds`, () => {
    assert.equal(parsePoll(utf8({ config: { polling: { sleep } } }))?.sleepSeconds, seconds);
  });

for (const sleep of ["", "5", "5:00", "00:60:00", "00:00:60", "0:00:00", "-1:00:00", 300, null])
  test(`refuses a poll with the interval ${JSON.stringify(sleep)}`, () => {
    assert.equal(parsePoll(utf8({ config: { polling: { sleep } } })), null);
  });

for (const [name, links] of [
  ["links that are no object", []],
  ["a deployment link that is text", { deploymentBase: "http://server/x" }],
  ["a deployment link without an address", { deploymentBase: {} }],
  ["a relative address", { deploymentBase: { href: "/deploymentBase/1" } }],
  ["an address of another scheme", { deploymentBase: { href: "file:///etc/passwd" } }],
  ["an address with a line break", { cancelAction: { href: "http://server/x\r\nhost: y" } }],
  ["an address of 2,049 characters", { configData: { href: `http://${"a".repeat(2042)}` } }],
] as const)
  test(`refuses a poll with ${name}: it must not read as "nothing wanted"`, () => {
    assert.equal(parsePoll(utf8({ config, _links: links })), null);
  });

// ---- deployment

test("reads a deployment of one image", () => {
  assert.deepEqual(deploymentOf(body), {
    kind: "firmware",
    actionId: "42",
    update: "forced",
    forced: true,
    approved: false,
    retry: false,
    windowOpen: true,
    version: "1.2.3",
    fileName: "fw.bin",
    fileHash: sha256,
    fileBytes: 4096,
    url,
    imageHash,
  });
});

test("takes the http link where there is no other", () => {
  const _links = { "download-http": { href: `${url}?plain` } };
  assert.equal(deploymentOf(withArtifact({ _links })).url, `${url}?plain`);
});

test("knows no image hash without well-formed metadata", () => {
  assert.equal(imageHashOf(withChunk({ metadata: undefined })), null);
  const upper = [{ key: "sluice-image-hash", value: imageHash.toUpperCase() }];
  assert.equal(imageHashOf(withChunk({ metadata: upper })), null);
});

for (const [metadata, approved, retry] of [
  [[], false, false],
  [[{ key: "sluice.approved", value: "true" }], true, false],
  [[{ key: "sluice.retry", value: "true" }], false, true],
  [
    [
      { key: "sluice.retry", value: "true" },
      { key: "sluice.approved", value: "true" },
    ],
    true,
    true,
  ],
  [[{ key: "sluice.approved", value: "True" }], false, false],
  [[{ key: "sluice.approved", value: true }], false, false],
  [[{ key: "Sluice.Approved", value: "true" }], false, false],
  [[{ key: "sluice.approved" }, null, 7, []], false, false],
  [
    [
      { key: "sluice.approved", value: "false" },
      { key: "sluice.approved", value: "true" },
    ],
    false,
    false,
  ],
  [{ key: "sluice.approved", value: "true" }, false, false],
  [new Array(33).fill({ key: "sluice.approved", value: "true" }), false, false],
] as const)
  test(`takes ${JSON.stringify(metadata).slice(0, 70)} for ${approved ? "an" : "no"} approval and ${retry ? "a" : "no"} retry`, () => {
    const deployment = deploymentOf(withChunk({ metadata }));
    assert.deepEqual([deployment.approved, deployment.retry], [approved, retry]);
  });

for (const [update, forced] of [
  ["forced", true],
  ["attempt", false],
  ["skip", false],
] as const)
  test(`takes an update that is ${update} for ${forced ? "a" : "no"} forced one`, () => {
    const deployment = { ...body.deployment, update };
    assert.equal(deploymentOf({ ...body, deployment }).forced, forced);
  });

test("tells a configuration document from an image by the part of its chunk", () => {
  const metadata = [{ key: "sluice.retry", value: "true" }];
  const document = withChunk({ part: "configuration", version: "12", metadata });
  assert.deepEqual(deploymentOf(document), {
    kind: "configuration",
    actionId: "42",
    update: "forced",
    forced: true,
    approved: false,
    retry: true,
    windowOpen: true,
    version: "12",
    fileName: "fw.bin",
    fileHash: sha256,
    fileBytes: 4096,
    url,
    configurationVersion: 12,
  });
  for (const part of ["bApp", "os", "Configuration", 7, undefined])
    assert.equal(deploymentOf(withChunk({ part })).kind, "firmware");
});

for (const version of ["0", "012", "1.0.0", "-1", "", "1e3", " 1", "9007199254740992", "x"])
  test(`finds a configuration of version "${version}" malformed`, () => {
    const parsed = parseDeployment(utf8(withChunk({ part: "configuration", version })));
    assert.deepEqual(parsed, { ok: false, reason: "malformed-deployment", actionId: "42" });
  });

test("takes the highest version that a configuration can have", () => {
  const highest = withChunk({ part: "configuration", version: "9007199254740991" });
  const deployment = deploymentOf(highest);
  assert.ok(deployment.kind === "configuration");
  assert.equal(deployment.configurationVersion, Number.MAX_SAFE_INTEGER);
});

for (const [maintenanceWindow, windowOpen] of [
  ["available", true],
  ["unavailable", false],
  [undefined, true],
] as const)
  test(`takes the window ${maintenanceWindow} for ${windowOpen ? "open" : "closed"}`, () => {
    const deployment = { ...body.deployment, maintenanceWindow };
    assert.equal(deploymentOf({ ...body, deployment }).windowOpen, windowOpen);
  });

test("takes an address of 2,048 characters in any case, and names a longer one as such", () => {
  const longest = `HTTP://${"a".repeat(urlLengthMax - 7)}`;
  const links = (href: string) => ({ _links: { download: { href } } });
  assert.equal(deploymentOf(withArtifact(links(longest))).url, longest);
  const longer = parseDeployment(utf8(withArtifact(links(`${longest}a`))));
  assert.deepEqual(longer, { ok: false, reason: "url-too-long", actionId: "42" });
});

test("keeps only printable ASCII of a version, which is for people to read", () => {
  assert.equal(deploymentOf(withChunk({ version: "1.0 ü\n\u0000" })).version, "1.0 ???");
});

const chunks = (value: unknown) => ({ ...body, deployment: { ...body.deployment, chunks: value } });
for (const [name, value] of [
  ["no chunk", chunks([])],
  ["two chunks", chunks([chunk, chunk])],
  ["a hundred chunks", chunks(new Array(100).fill({}))],
  ["no artifact", withChunk({ artifacts: [] })],
  ["two artifacts", withChunk({ artifacts: [artifact, artifact] })],
] as const)
  test(`finds a deployment with ${name} unsupported, and still says whose it is`, () => {
    const parsed = parseDeployment(utf8(value));
    assert.deepEqual(parsed, { ok: false, reason: "unsupported-deployment", actionId: "42" });
  });

for (const [name, value, actionId] of [
  ["no object", "x", null],
  ["no id", { ...body, id: undefined }, null],
  ["an id that is a number", { ...body, id: 42 }, null],
  ["an id of letters", { ...body, id: "4/2" }, null],
  ["an empty id", { ...body, id: "" }, null],
  ["an id of 21 digits", { ...body, id: "1".repeat(21) }, null],
  ["no deployment", { id: "42" }, "42"],
  ["an update that is none of the words", { id: "42", deployment: { update: "now" } }, "42"],
  ["chunks that are no array", chunks({}), "42"],
  ["no version", withChunk({ version: undefined }), "42"],
  ["a version of 65 characters", withChunk({ version: "1".repeat(65) }), "42"],
  ["no file name", withArtifact({ filename: undefined }), "42"],
  ["no SHA-256", withArtifact({ hashes: { sha1: "x" } }), "42"],
  ["a size of 0", withArtifact({ size: 0 }), "42"],
  ["a size of 4 GiB", withArtifact({ size: 2 ** 32 }), "42"],
  ["a size that is no integer", withArtifact({ size: "4096" }), "42"],
  ["no link", withArtifact({ _links: {} }), "42"],
  ["an address with a space", withArtifact({ _links: { download: { href: "http://a b" } } }), "42"],
] as const)
  test(`finds a deployment with ${name} malformed`, () => {
    const parsed = parseDeployment(utf8(value));
    assert.deepEqual(parsed, { ok: false, reason: "malformed-deployment", actionId });
  });

test("refuses bodies beyond their size before it parses them", () => {
  const pad = (value: object, bytes: number): Uint8Array => {
    const text = JSON.stringify(value);
    return new TextEncoder().encode(text + " ".repeat(bytes - text.length));
  };
  assert.notEqual(parsePoll(pad({ config }, pollBytesMax)), null);
  assert.equal(parsePoll(pad({ config }, pollBytesMax + 1)), null);
  assert.equal(parseDeployment(pad(body, deploymentBytesMax)).ok, true);
  assert.equal(parseDeployment(pad(body, deploymentBytesMax + 1)).ok, false);
});

test("finds the action in a link to its deployment", () => {
  assert.equal(actionIdOfLink("http://s/T/controller/v1/d/deploymentBase/42?c=1"), "42");
  assert.equal(actionIdOfLink("http://s/T/controller/v1/d/deploymentBase/42"), "42");
  assert.equal(actionIdOfLink("http://s/T/controller/v1/d/deploymentBase/x42"), null);
  assert.equal(actionIdOfLink("http://s/T/controller/v1/d/deploymentBase/42/feedback"), null);
});

// ---- cancel, feedback, attributes

test("reads which action to stop", () => {
  const stop = { id: "7", cancelAction: { stopId: "7" } };
  assert.deepEqual(parseCancel(utf8(stop)), { actionId: "7", stopId: "7" });
});

for (const value of [
  {},
  { id: "7" },
  { id: 7, cancelAction: { stopId: "7" } },
  { id: "7", cancelAction: { stopId: 7 } },
  { id: "../7", cancelAction: { stopId: "7" } },
])
  test(`takes ${JSON.stringify(value)} for no cancellation`, () => {
    assert.equal(parseCancel(utf8(value)), null);
  });

test("writes feedback as hawkBit reads it", () => {
  const details = ["state=trial", "version=1.2.3"];
  const bytes = encodeFeedback("42", { execution: "proceeding", finished: "none", details });
  assert.deepEqual(JSON.parse(new TextDecoder().decode(bytes)), {
    id: "42",
    status: { execution: "proceeding", result: { finished: "none" }, details },
  });
});

test("writes attributes to be merged into those that the server has", () => {
  const bytes = encodeConfigData({ hardware: "esp32c3-a", version: "1.2.3" });
  assert.deepEqual(JSON.parse(new TextDecoder().decode(bytes)), {
    mode: "merge",
    data: { hardware: "esp32c3-a", version: "1.2.3" },
  });
});

// ---- hostile bodies

const parsers = { parsePoll, parseDeployment, parseCancel };
const samples = {
  parsePoll: utf8({ config, _links: { deploymentBase: { href: url } } }),
  parseDeployment: utf8(body),
  parseCancel: utf8({ id: "7", cancelAction: { stopId: "7" } }),
};

for (const name of ["parsePoll", "parseDeployment", "parseCancel"] as const) {
  test(`${name} never throws on random bytes`, () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => void parsers[name](bytes)));
  });

  test(`${name} never throws on a mutated or truncated message`, () => {
    const sample = samples[name];
    const at = fc.nat({ max: sample.length - 1 });
    fc.assert(
      fc.property(at, fc.integer({ min: 0, max: 255 }), at, (index, byte, end) => {
        const mutated = sample.map((old, position) => (position === index ? byte : old));
        parsers[name](mutated);
        parsers[name](sample.subarray(0, end));
      }),
      { numRuns: 500 },
    );
  });

  test(`${name} never throws on JSON of any shape`, () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void parsers[name](utf8(value))));
  });
}
