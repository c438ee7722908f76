import { cutKinds } from "../flash/operation.ts";
import { Rig } from "../power-cuts/rig.ts";
import { atMost, type Benchmark } from "./benchmark.ts";
import { benchDevice, benchHistory } from "./device.ts";

/** Cuts at every so many operations of staging; each is a download of its own. */
const cutsMax = 40;

/** How much of an image is asked for twice when the power fails while it is downloaded. */
export const resumedDownload: Benchmark = {
  name: "resumed-download",
  about: "bytes asked for again after a power cut during the download",

  async run() {
    const device = await benchDevice();
    const run = await device.cleanRun(benchHistory("update"));
    const [start] = run.checkpoints;
    if (start === undefined) throw new Error("a history without a reset");
    const cleanBytes = await bytesAsked(new Rig(device.parts, start));
    const staging = run.operations.filter(({ phase }) => phase === "staging").length;
    const step = Math.max(1, Math.ceil(staging / cutsMax));
    let most = 0;
    let cuts = 0;
    for (let operation = 0; operation < staging; operation += step) {
      const kind = cutKinds[cuts % cutKinds.length] ?? "clean";
      const rig = new Rig(device.parts, start, { cuts: [{ operation, kind }] });
      most = Math.max(most, (await bytesAsked(rig)) - cleanBytes);
      cuts += 1;
    }
    return [
      { what: "cuts", value: cuts },
      { what: "bytes asked for again after a cut, most", value: most, target: atMost(65_536) },
    ];
  },
};

/** The sum of all ranges of the image that the device asks for until it rests. */
async function bytesAsked(rig: Rig): Promise<number> {
  if (!(await rig.untilRest())) throw new Error("the device does not come to rest");
  const ranges = rig.server.requests
    .map(({ path, headers }) => (path.startsWith("/artifact/2") ? headers["range"] : undefined))
    .map((range) => /^bytes=(\d+)-(\d+)$/.exec(range ?? ""));
  rig.powerOff();
  return ranges.reduce(
    (sum, match) => (match === null ? sum : sum + Number(match[2]) - Number(match[1]) + 1),
    0,
  );
}
