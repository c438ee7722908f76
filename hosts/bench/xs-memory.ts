import { randomBytes } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  boardBytes,
  boardHeapBytes,
  boardSlotBytes,
  InstrumentReader,
  larger,
  noMemory,
  type XsMemory,
} from "../moddable/instruments.ts";
import { OneDevice, type OneDeviceOptions } from "../moddable/one-device.ts";
import { until } from "../moddable/real-fleet.ts";
import { findSdk, type ModdableSdk, projectRoot } from "../moddable/sdk.ts";
import {
  certificatePem,
  issueCertificate,
  privateKeyNumber,
  privateKeyPem,
} from "../release/certificates.ts";
import { aboutAtMost, atMost, type Benchmark, type Measurement } from "./benchmark.ts";
import { trustedReleases } from "./trust/trusted-releases.ts";

const totalBytesMax = 96 * 1024;
/** Without the stack. */
const everythingBytesMax = 72 * 1024;
/** The part of `everythingBytesMax` that trust may take. */
const trustBytesMax = 24 * 1024;
const hardware = "esp32c3-a";
const imageSizes = [500_000, 1_700_000] as const;
const phaseSeconds = 240;
/** Lines of instruments before the phase counts as seen. */
const idleSamples = 4;

/**
 * The XS heap of the whole reference firmware, laid out as a board's and growing by its steps, on
 * the SDK's debug build for Linux: native crypto, no noble, modules preloaded. XS collects garbage
 * before it grows and gives nothing back, so that what it grew to is what was alive at the worst
 * moment, to a step. Slots and chunks count as on a 32-bit board, with slots of 16 bytes; the
 * simulator's key-value storage, which on a board is native, counts too.
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
    const bench = { runner: await sdk.runner("board"), payload: await payload(sdk) };
    const offline = (name: string) =>
      trustedReleases(join(folder(), "..", `offline-${process.pid}-${name}`), hardware);
    const update = await watchUpdate(bench);
    const secure = await watchUpdate({ ...bench, tls: mutualTls() });
    const trusting = await watchUpdate({ ...bench, trust: await offline("plain") });
    const everything = await watchUpdate({
      ...bench,
      tls: mutualTls(),
      trust: await offline("secure"),
    });
    const worst = [everything.idle, everything.download, everything.trial].reduce((one, other) =>
      larger(one, other),
    );
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
      ...describe("idle with https and signed metadata", everything.idle),
      ...describe("download with https and signed metadata", everything.download),
      ...describe("trial with https and signed metadata", everything.trial),
      {
        what: `https, client certificate and signed metadata at once: slots at ${boardSlotBytes} bytes and chunks`,
        value: boardHeapBytes(worst),
        target: atMost(everythingBytesMax),
      },
    ];
    const totals: number[] = [];
    for (const imageBytes of imageSizes) {
      const memory = await watchDownload({ ...bench, tls: mutualTls() }, imageBytes);
      totals.push(boardBytes(memory));
      measurements.push(...describe(`download of ${imageBytes} bytes over https`, memory));
    }
    const phases = [update, secure, trusting, everything].flatMap(({ idle, download, trial }) => [
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

/**
 * A step of slots and of chunks, and a slot or two of stack, by the moment at which the network
 * calls.
 */
const flatWithinBytes = 64 * boardSlotBytes + 1024 + 256;

/** An application needs some of it too, and a stack that overflows resets the board. */
const stackShareMax = 0.85;

function stackGivenSlots(): number {
  const manifest = readFileSync(join(projectRoot, "src", "manifest.json"), "utf8");
  return (JSON.parse(manifest) as { creation: { stack: number } }).creation.stack;
}

const stackOf = ({ stackSlots }: XsMemory): number => stackSlots;

/** With the heap of boards, but as large as it likes to be. */
async function payload(sdk: ModdableSdk): Promise<Uint8Array> {
  const board = readFileSync(join(projectRoot, "hosts", "esp32", "manifest.json"), "utf8");
  const { chunk, heap } = (JSON.parse(board) as { creation: { chunk: object; heap: object } })
    .creation;
  const manifest = sdk.application("xs-memory", {
    include: [join(projectRoot, "manifest.json")],
    creation: { main: "sluice/main", chunk, heap },
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
  /** The samples of the boot that goes on. */
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
    if (memory.stackSlots !== undefined) this.samples += 1; // one a second
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
