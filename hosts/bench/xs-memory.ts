import { randomBytes } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  certificatePem,
  issueCertificate,
  privateKeyNumber,
  privateKeyPem,
} from "../release/certificates.ts";
import {
  boardBytes,
  boardSlotBytes,
  InstrumentReader,
  larger,
  noMemory,
  type XsMemory,
} from "../simulator/moddable/instruments.ts";
import { OneDevice, type OneDeviceOptions } from "../simulator/moddable/one-device.ts";
import { until } from "../simulator/moddable/real-fleet.ts";
import { findSdk, type ModdableSdk, projectRoot } from "../simulator/moddable/sdk.ts";
import { aboutAtMost, atMost, type Benchmark, type Measurement } from "./benchmark.ts";
import { trustedReleases } from "./trust/trusted-releases.ts";

const totalBytesMax = 96 * 1024;
/** Of these, what trust may take. */
const trustBytesMax = 24 * 1024;
const hardware = "esp32c3-a";
const imageSizes = [500_000, 1_700_000] as const;
const phaseSeconds = 240;
/** Lines of instruments before the phase counts as seen. */
const idleSamples = 4;

/**
 * Heaps that grow in small steps show what a phase needs. Chunks are compacted within a piece of
 * the heap only, and a board has one piece: they begin with a large one, since many small ones
 * would show the gaps between them.
 */
const growing = {
  chunk: { initial: 16_384, incremental: 512 },
  heap: { initial: 512, incremental: 64 },
};

/** Heaps of a size that a board may give once and for all: they grow when that is too little. */
const given = {
  chunk: { initial: 32_768, incremental: 512 },
  heap: { initial: 3328, incremental: 64 },
};

/**
 * The XS heap of the whole reference firmware, as a board runs it, on the SDK's debug build for
 * Linux: native crypto, no noble, modules preloaded. What XS allocated is counted, not what it used:
 * it collects garbage before it grows, and gives nothing back. Slots count 16 bytes, as on a 32-bit
 * board; chunks count as they are on this 64-bit machine, where their headers and the slots in
 * arrays are twice as large, and with the simulator's key-value storage, which on a board is native:
 * the numbers err on the high side. Heaps that grow depend on the moments of collections by some
 * kilobytes, so that two image sizes are compared in heaps that are given.
 */
export const xsMemory: Benchmark = {
  name: "xs-memory",
  about: "XS slots, chunks and stack of the whole firmware on the Moddable SDK's Linux build",

  missing() {
    const found = findSdk();
    return found.ok ? null : found.missing.join("; ");
  },

  async run() {
    const found = findSdk();
    if (!found.ok) throw new Error(found.missing.join("\n"));
    const { sdk } = found;
    const runner = await sdk.runner();
    const grown = { runner, payload: await payload(sdk, "growing", growing) };
    const update = await watchUpdate(grown);
    const secure = await watchUpdate({ ...grown, tls: mutualTls() });
    const offline = join(folder(), "..", `offline-${process.pid}`);
    const trusting = await watchUpdate({
      ...grown,
      trust: await trustedReleases(offline, hardware),
    });
    const measurements = [
      ...describe("idle", update.idle),
      ...describe(`download of ${update.imageBytes} bytes`, update.download),
      ...describe("trial", update.trial),
      ...describe("idle over https", secure.idle),
      ...describe("download over https", secure.download),
      ...describe("trial over https", secure.trial),
      ...describe("download with signed metadata", trusting.download),
      {
        what: `signed metadata: what it adds until the download, slots at ${boardSlotBytes} bytes`,
        value: boardBytes(trusting.download) - boardBytes(update.download),
        target: aboutAtMost(trustBytesMax),
      },
    ];
    const bench = { runner, payload: await payload(sdk, "given", given), tls: mutualTls() };
    const totals: number[] = [];
    for (const imageBytes of imageSizes) {
      const memory = await watchDownload(bench, imageBytes);
      totals.push(boardBytes(memory));
      measurements.push(
        ...describe(`download of ${imageBytes} bytes over https, heap given`, memory),
      );
    }
    const phases = [update, secure, trusting].flatMap(({ idle, download, trial }) => [
      idle,
      download,
      trial,
    ]);
    const stackSlots = Math.max(...phases.map(stackOf));
    const apart = Math.abs((totals[0] ?? 0) - (totals[1] ?? 0));
    return [
      ...measurements,
      {
        what: "difference between these two, bytes",
        value: apart,
        target: atMost(flatWithinBytes),
      },
      {
        what: "stack used / stack that src/manifest.json gives",
        value: stackSlots / stackGivenSlots(),
        target: atMost(stackShareMax),
      },
    ];
  },
};

/** A slot or two of stack, by the moment at which the network calls. */
const flatWithinBytes = 256;

/** An application needs some of it too, and a stack that overflows resets the board. */
const stackShareMax = 0.85;

function stackGivenSlots(): number {
  const manifest = readFileSync(join(projectRoot, "src", "manifest.json"), "utf8");
  return (JSON.parse(manifest) as { creation: { stack: number } }).creation.stack;
}

const stackOf = ({ stackSlots }: XsMemory): number => stackSlots;

async function payload(sdk: ModdableSdk, name: string, heap: typeof growing): Promise<Uint8Array> {
  const manifest = sdk.application(`xs-memory-${name}`, {
    include: [join(projectRoot, "manifest.json")],
    creation: { main: "sluice/main", ...heap },
  });
  return sdk.payload(await sdk.build({ manifest, variant: "debug" }));
}

type Bench = Pick<OneDeviceOptions, "runner" | "payload" | "tls" | "trust">;

/** A server that wants a client certificate: the most that a handshake takes. */
function mutualTls(): NonNullable<OneDeviceOptions["tls"]> {
  const dayMs = 86_400_000;
  const valid = { notBeforeUnixMs: Date.now() - dayMs, notAfterUnixMs: Date.now() + dayMs };
  const issuer = issueCertificate({ commonName: "fleet", purpose: "authority", ...valid });
  const issued = { commonName: "one side", issuer, ...valid };
  const server = issueCertificate({ ...issued, purpose: "server", hosts: ["127.0.0.1"] });
  const client = issueCertificate({ ...issued, purpose: "client" });
  const ca = certificatePem(issuer.certificate);
  return {
    server: {
      cert: certificatePem(server.certificate) + ca,
      key: privateKeyPem(server),
      ca,
      requestCert: true,
    },
    credentials: {
      authorities: [issuer.certificate],
      client: {
        certificates: [client.certificate],
        privateKey: privateKeyNumber(client),
      },
    },
  };
}

async function watchUpdate(bench: Bench) {
  const watch = new Watch();
  const one = await OneDevice.start({ ...bench, directory: folder(), logged: watch.line });
  try {
    void one.powerOn();
    await until("the first poll", phaseSeconds, () => one.fleet.requests.length > 0);
    const polledAt = watch.samples;
    await until("idle", phaseSeconds, () => watch.samples >= polledAt + idleSamples);
    const idle = watch.largest(0);
    const { rollout, bytes } = await one.offer("1.1.0", bench.payload);
    await until("the update", phaseSeconds, async () => {
      return (await one.fleet.count(rollout, "updated")) === 1;
    });
    await until("the end of the trial", phaseSeconds, () => watch.samples >= idleSamples);
    return { idle, download: watch.largest(0), trial: watch.largest(1), imageBytes: bytes };
  } finally {
    await one.close();
    rmSync(folder(), { recursive: true, force: true });
  }
}

/** To the restart into the image, which holds noise: what it would do is not looked at. */
async function watchDownload(bench: Bench, imageBytes: number): Promise<XsMemory> {
  const watch = new Watch();
  const one = await OneDevice.start({ ...bench, directory: folder(), logged: watch.line });
  try {
    await one.offer("1.1.0", randomBytes(imageBytes - 500));
    void one.powerOn();
    await until("the restart", phaseSeconds, () => one.board.boots.length > 1);
    return watch.largest(0);
  } finally {
    await one.close();
    rmSync(folder(), { recursive: true, force: true });
  }
}

/** Follows one board's console, boot by boot. */
class Watch {
  /** Of the boot that goes on. */
  samples = 0;
  readonly #reader = new InstrumentReader();
  readonly #boots: XsMemory[] = [];

  readonly line = (line: string): void => {
    if (line.startsWith("instruments key:")) {
      this.#boots.push(noMemory);
      this.samples = 0;
    }
    const memory = this.#reader.read(line);
    const boot = this.#boots.length - 1;
    if (memory === null || boot < 0) return;
    this.samples += 1;
    this.#boots[boot] = larger(this.#boots[boot]!, memory);
  };

  /** The largest so far of one boot, counted from 0. */
  largest(boot: number): XsMemory {
    const memory = this.#boots[boot];
    if (memory === undefined) throw new Error(`boot ${boot} told nothing of its memory`);
    return memory;
  }
}

function describe(phase: string, memory: XsMemory): Measurement[] {
  const { slots, chunkBytes, stackSlots } = memory;
  return [
    { what: `${phase}: slots`, value: slots },
    { what: `${phase}: chunks, bytes`, value: chunkBytes },
    { what: `${phase}: stack high-water mark, slots`, value: stackSlots },
    {
      what: `${phase}: XS heap in all, slots at ${boardSlotBytes} bytes`,
      value: boardBytes(memory),
      target: atMost(totalBytesMax),
    },
  ];
}

function folder(): string {
  return join(projectRoot, ".build", "moddable", "runs", `xs-memory-${process.pid}`);
}
