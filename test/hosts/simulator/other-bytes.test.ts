// Bytes that are not the file's, in answers whose framing, coding, range and length are all right.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SeenRequest } from "../../../hosts/simulator/ddi-server.ts";
import { DeviceBench, image } from "../../support/device-bench.ts";

const file = await image("1.1.0", { paddingBytes: 200_000, blockBytes: 65_536 });
/** An image's two ends. */
const endRanges = 2;
const readingsOfCheck = 2;

/**
 * What the server sends in place of a range's bytes, null for those; `ranges` were asked for
 * before.
 */
type Sent = (
  range: { readonly from: number; readonly to: number },
  ranges: number,
) => Uint8Array | null;

async function served(
  sent: Sent,
  seen: (request: SeenRequest) => void = () => {},
): Promise<DeviceBench> {
  const bench = await DeviceBench.start();
  bench.server.interfere = (request, answer) => {
    seen(request);
    const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers["range"] ?? "");
    if (match === null || answer.kind !== "response") return null;
    const range = { from: Number(match[1]), to: Number(match[2]) + 1 };
    const body = sent(range, bench.server.artifactRanges.length);
    return body === null ? null : { ...answer, body };
  };
  bench.offer("1", "1.1.0", file);
  await bench.powerOn();
  await bench.pass(60);
  bench.world.close();
  return bench;
}

/** From the start of the file, whatever is asked for. */
const fromStart: Sent = ({ from, to }) => (from === 0 ? null : file.subarray(0, to - from));

test("installs from a server that first sent the bytes of another offset, and reads the deployment again between", async () => {
  let deployments = 0;
  let deploymentsAtFirst = 0;
  const bench = await served(
    (range, ranges) => {
      const isFirst = ranges < endRanges * readingsOfCheck;
      if (isFirst) deploymentsAtFirst = deployments;
      return isFirst ? fromStart(range, ranges) : null;
    },
    ({ path, method }) => {
      if (method === "GET" && path.includes("/deploymentBase/")) deployments += 1;
    },
  );
  assert.equal(bench.running, "1.1.0");
  assert.ok(deployments > deploymentsAtFirst, `${deployments} readings of the deployment`);
  const passing = "proceeding none state=failed version=1.1.0 reason=image-malformed";
  assert.ok(bench.server.reports.includes(passing), bench.server.reports.join("\n"));
});

test("gives up a file whose ends are the same bad bytes at two polls, and asks no more than that", async () => {
  const bench = await served(fromStart);
  assert.equal(bench.verdict, "closed failure state=failed version=1.1.0 reason=image-malformed");
  assert.equal(bench.server.artifactRanges.length, endRanges * readingsOfCheck * 2);
});

test("never gives up a file for good whose ends are others each time", async () => {
  const bench = await served(({ from, to }, ranges) => new Uint8Array(to - from).fill(ranges));
  assert.equal(bench.verdict, undefined);
  assert.equal(bench.running, "1.0.0");
  // Four readings, tried eight times at a poll, at polls that are further and further apart.
  const { length } = bench.server.artifactRanges;
  assert.ok(length <= endRanges * 4 * 8 * 5, `${length} ranges in an hour`);
});

/** With a flipped bit in the file's last byte, which is of the signature and in no hashed block. */
function spoilingSignature(timesMax: number): Sent {
  let times = 0;
  return ({ from, to }, ranges) => {
    if (ranges < endRanges || to !== file.length || times === timesMax) return null;
    times += 1;
    const body = file.slice(from, to);
    body[body.length - 1]! ^= 1;
    return body;
  };
}

test("downloads again when the signature that it had judged before came spoilt into the slot", async () => {
  const bench = await served(spoilingSignature(1));
  assert.equal(bench.running, "1.1.0");
  const starts = bench.server.artifactRanges.filter((range) => range === "bytes=0-65535");
  assert.equal(starts.length, 2);
});

test("gives up after three downloads whose signature came spoilt into the slot", async () => {
  const bench = await served(spoilingSignature(Number.POSITIVE_INFINITY));
  assert.equal(bench.verdict, "closed failure state=failed version=1.1.0 reason=signature-invalid");
  const starts = bench.server.artifactRanges.filter((range) => range === "bytes=0-65535");
  assert.equal(starts.length, 3);
});
