import assert from "node:assert/strict";
import {
  appendFileSync,
  cpSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { AuditLogError } from "../../../../hosts/release/keys/audit-end.ts";
import { genesisHash, verifyAuditLog } from "../../../../hosts/release/keys/audit-entry.ts";
import { AuditLog, recordedSigner } from "../../../../hosts/release/keys/audit-log.ts";
import { verifyAuditFiles } from "../../../../hosts/release/keys/audit-segments.ts";
import { isSignatureBy, type Signer, tufKeyId } from "../../../../hosts/release/keys/signer.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { testSigner } from "../../../support/image-signer.ts";

function signerOf(secret: number): Signer {
  const { publicKey, sign } = testSigner(secret);
  return { publicKey, sign, keyId: tufKeyId(publicKey), label: `key ${secret}` };
}

const [first, second] = [signerOf(1), signerOf(2)];
const known = new Set([first.keyId, second.keyId]);
const digest = new Uint8Array(32).fill(7);

async function logOf(context: TestContext, count: number) {
  const path = join(temporaryFolder(context), "audit.jsonl");
  const log = new AuditLog(path, () => 1_800_000_000_000);
  for (let index = 0; index < count; index += 1)
    await recordedSigner(index % 2 === 0 ? first : second, log, `image 1.0.${index}`).sign(digest);
  return { path, log, text: () => readFileSync(path, "utf8") };
}

test("every use of a key is an entry, before its signature is handed out", async (context) => {
  const { text, log } = await logOf(context, 2);
  let entriesAtAnswer = 0;
  const signature = await recordedSigner(first, log, "image 2.0.0").sign(digest);
  entriesAtAnswer = text().split("\n").length - 1;
  assert.equal(entriesAtAnswer, 3);
  assert.ok(isSignatureBy(first.publicKey, digest, signature));
  const verdict = verifyAuditLog(text(), known);
  assert.ok(verdict.ok);
  assert.deepEqual(
    verdict.entries.map(({ sequence, keyId, uses }) => [sequence, keyId, uses[0]?.purpose]),
    [
      [1, first.keyId, "image 1.0.0"],
      [2, second.keyId, "image 1.0.1"],
      [3, first.keyId, "image 2.0.0"],
    ],
  );
  assert.equal(verdict.entries[0]?.previous, genesisHash);
  assert.equal(verdict.headHash, verdict.hashes[2]);
});

test("no signature is handed out when the log cannot be written", async () => {
  const log = new AuditLog("/nowhere/at/all/audit.jsonl");
  await assert.rejects(recordedSigner(first, log, "image 1.0.0").sign(digest), { code: "ENOENT" });
});

const forgeries: ReadonlyArray<readonly [string, (lines: string[]) => string[], string, number]> = [
  [
    "a changed purpose",
    (l) => [l[0]!.replace("1.0.0", "6.6.6"), ...l.slice(1)],
    "signature-invalid",
    1,
  ],
  ["a removed first line", (l) => l.slice(1), "chain-broken", 1],
  ["a removed line in the middle", (l) => [l[0]!, ...l.slice(2)], "chain-broken", 2],
  ["two lines exchanged", (l) => [l[1]!, l[0]!, ...l.slice(2)], "chain-broken", 1],
  ["a repeated line", (l) => [l[0]!, l[0]!, ...l.slice(1)], "chain-broken", 2],
  ["another spelling of a line", (l) => [l[0]!.replace(":", ": "), ...l.slice(1)], "malformed", 1],
  ["a line that is no entry", (l) => [...l, "hello"], "malformed", 5],
  ["an entry without uses", (l) => [l[0]!.replace(/"uses":\[.*\]/, '"uses":[]')], "malformed", 1],
];

for (const [name, forge, reason, line] of forgeries)
  test(`finds ${name}`, async (context) => {
    const { text } = await logOf(context, 4);
    const lines = text().trimEnd().split("\n");
    const verdict = verifyAuditLog(`${forge(lines).join("\n")}\n`, known);
    assert.deepEqual(verdict, { ok: false, reason, line });
  });

test("a whole log that somebody made with a key of their own does not pass", async (context) => {
  const { text } = await logOf(context, 2);
  const verdict = verifyAuditLog(text(), new Set([first.keyId]));
  assert.deepEqual(verdict, { ok: false, reason: "key-unknown", line: 2 });
});

/** Where a file system wrote the new length, but not all of the bytes, it shows zeros. */
const cutLines: ReadonlyArray<readonly [string, (whole: string) => string]> = [
  ["half a line", (whole) => whole.slice(0, 100)],
  ["a line of zeros", () => "\0".repeat(4096)],
  ["half a line and zeros", (whole) => whole.slice(0, 100) + "\0".repeat(400)],
];
for (const [what, cut] of cutLines)
  test(`${what} that a power cut left is told, and the next use replaces it`, async (context) => {
    const { path, text, log } = await logOf(context, 2);
    const whole = text();
    appendFileSync(path, cut(whole));
    const incomplete = { ok: false, reason: "incomplete", line: 3 } as const;
    assert.deepEqual(verifyAuditLog(text(), known), incomplete);
    assert.deepEqual(verifyAuditFiles(path, known), { ...incomplete, path });
    await log.append(first, [{ purpose: "image 3.0.0", digest: "00" }]);
    assert.ok(text().startsWith(whole));
    const verdict = verifyAuditLog(text(), known);
    assert.ok(verdict.ok && verdict.entries.length === 3);
  });

test("two programs that sign at the same time make one chain", async (context) => {
  const { path, text } = await logOf(context, 0);
  const logs = [new AuditLog(path), new AuditLog(path)];
  await Promise.all(
    [0, 1, 2, 3].map((n) => recordedSigner(first, logs[n % 2]!, `image 1.0.${n}`).sign(digest)),
  );
  const verdict = verifyAuditLog(text(), known);
  assert.ok(verdict.ok && verdict.entries.length === 4);
});

test("what an earlier version left as its lock stops nobody", async (context) => {
  const { path, text, log } = await logOf(context, 1);
  writeFileSync(`${path}.lock`, String(process.ppid));
  await log.append(first, [{ purpose: "image 1.0.1", digest: "00" }]);
  assert.ok(verifyAuditLog(text(), known).ok);
});

test("garbage at the end of a log is told, and nothing is signed upon it", async (context) => {
  for (const garbage of [
    "garbage\n",
    "garbage",
    "\0garbage",
    '{"at":"\0"',
    '{"sequence":"zz"}\n',
    "\n",
    "x".repeat(300_000),
  ]) {
    const { path, text, log } = await logOf(context, 2);
    appendFileSync(path, garbage);
    const before = text();
    await assert.rejects(recordedSigner(first, log, "image").sign(digest), AuditLogError);
    assert.equal(text(), before, "and nothing is changed");
    const verdict = verifyAuditFiles(path, known);
    assert.ok(!verdict.ok && verdict.reason === "malformed", "the check promises no repair");
  }
});

const brokenEnds: ReadonlyArray<readonly [string, (lines: string[]) => string[]]> = [
  ["the last line twice", (l) => [...l, l[2]!]],
  ["the line before the last gone", (l) => [l[0]!, l[2]!]],
  ["all lines before the last gone", (l) => [l[2]!]],
  ["the last two exchanged", (l) => [l[0]!, l[2]!, l[1]!]],
  ["an older line again", (l) => [...l, l[0]!]],
  ["the line before the last changed", (l) => [l[0]!, l[1]!.replace("1.0.1", "6.6.6"), l[2]!]],
];
for (const [what, change] of brokenEnds)
  test(`nothing is signed upon a log with ${what}`, async (context) => {
    const { path, text, log } = await logOf(context, 3);
    const broken = `${change(text().trimEnd().split("\n")).join("\n")}\n`;
    writeFileSync(path, broken);
    await assert.rejects(recordedSigner(first, log, "image").sign(digest), AuditLogError);
    assert.equal(text(), broken, "and nothing is changed");
  });

test("a log whose end is longer than what is read of it goes on", async (context) => {
  const { path, log } = await logOf(context, 1);
  const use = { purpose: "p".repeat(1000), digest: "00" };
  for (let index = 0; index < 3; index += 1) await log.append(first, Array(250).fill(use));
  assert.ok(verifyAuditFiles(path, known).ok);
});

/** Five entries, each a segment of its own but the last. */
async function segmented(context: TestContext) {
  const path = join(temporaryFolder(context), "audit.jsonl");
  const log = new AuditLog(path, () => 1_800_000_000_000, 100);
  for (let index = 0; index < 5; index += 1)
    await recordedSigner(first, log, `image 1.0.${index}`).sign(digest);
  const segment = (number: number): string => `${path}.00000${number}`;
  return { path, log, segment };
}

test("a full log goes on in another file, and all of them are one chain", async (context) => {
  const { path, segment } = await segmented(context);
  const whole = [1, 2, 3, 4].map((number) => readFileSync(segment(number), "utf8")).join("");
  const verdict = verifyAuditLog(whole + readFileSync(path, "utf8"), known);
  assert.ok(verdict.ok && verdict.entries.length === 5);
  const { headHash } = verdict;
  assert.deepEqual(verifyAuditFiles(path, known), { ok: true, entries: 5, headHash });
});

test("a power cut after a log became a segment breaks no chain", async (context) => {
  const { path, log, segment } = await segmented(context);
  renameSync(path, segment(5));
  assert.ok(verifyAuditFiles(path, known).ok);
  await log.append(first, [{ purpose: "image", digest: "00" }]);
  const verdict = verifyAuditFiles(path, known);
  assert.ok(verdict.ok && verdict.entries === 6);
});

const losses: ReadonlyArray<readonly [string, (segment: (n: number) => string) => void, string]> = [
  ["is missing", (segment) => rmSync(segment(2)), "segment-missing"],
  ["is missing at the start", (segment) => rmSync(segment(1)), "segment-missing"],
  ["is missing at the end", (segment) => rmSync(segment(4)), "chain-broken"],
  ["took another's name", (segment) => renameSync(segment(3), segment(2)), "segment-missing"],
  ["is a copy of another", (segment) => cpSync(segment(3), segment(2)), "chain-broken"],
  ["is empty", (segment) => writeFileSync(segment(2), ""), "chain-broken"],
  ["is cut off", (segment) => truncateSync(segment(2), 50), "incomplete"],
];

for (const [name, lose, reason] of losses)
  test(`a segment that ${name} is told`, async (context) => {
    const { path, segment } = await segmented(context);
    lose(segment);
    const verdict = verifyAuditFiles(path, known);
    assert.ok(!verdict.ok);
    assert.equal(verdict.reason, reason);
  });
