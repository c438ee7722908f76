import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { deviceLayout } from "../../flash/board-layout.ts";
import { writeFlashFile } from "../../flash/flash-file.ts";
import { encodeLayout } from "../../flash/layout.ts";
import { xsEngineMissing } from "../../simulator/engines/xs-engine.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { type Interruption, watchInterruption } from "../command/interruption.ts";
import { note, print } from "../command/output.ts";
import { wholeNumber } from "../options/options.ts";
import { Session } from "../simulation/session.ts";
import { planFleet } from "./plan.ts";
import { Demo, type DemoOutcome, demoPollSeconds, isExpected } from "./scenario.ts";
import { DemoView } from "./view.ts";

interface DemoFlags {
  readonly once?: true;
  readonly json?: true;
  readonly out?: string;
  readonly port: number;
  readonly seed: number;
}

const layoutName = "esp32-4m";

export function registerDemo(program: Command): void {
  program
    .command("demo")
    .description("a fleet of 25 simulated devices takes a good release and stops a bad one")
    .option("--once", "exit at the end instead of staying up until Ctrl-C")
    .option("--json", "print the outcome as one line of JSON, last on stdout")
    .option("--out <dir>", "leave summary.json, the public key and every device's flash there")
    .option("--port <n>", "port of the fleet on 127.0.0.1; 0 takes a free one", port, 0)
    .option("--seed <n>", "another seed gives other random numbers", seed, 1)
    .action(run);
}

const port = wholeNumber({ min: 0, max: 65_535 });
const seed = wholeNumber({ min: 0, max: 0xffff_ffff });

async function run(flags: DemoFlags, command: Command): Promise<void> {
  const startedMs = performance.now();
  const missing = xsEngineMissing();
  if (missing !== null) note(command, `${missing}; every device runs on engine node`);
  const directory = mkdtempSync(join(tmpdir(), "sluice-demo-"));
  const layout = deviceLayout(layoutName);
  const session = new Session({
    directory,
    layout,
    port: flags.port,
    seed: flags.seed,
    pollSeconds: demoPollSeconds,
    turnBudgetMs: null, // its own firmware ends its turns, and a watch over each costs more than most turns
  });
  const view = new DemoView(process.stderr);
  let interruption: Interruption | null = null;
  try {
    const demo = new Demo(session, planFleet(missing === null), view);
    const outcome = await demo.run(layout);
    view.end();
    const { devices, ...counts } = outcome;
    const summary = { ...counts, durationMs: performance.now() - startedMs };
    if (flags.out !== undefined) writeResults(flags.out, session, { ...summary, devices });
    report(outcome, flags, session.url, command);
    if (flags.json === true) print(command, JSON.stringify(summary));
    if (flags.once !== true) {
      interruption = watchInterruption();
      await interruption.asked;
    }
    if (!isExpected(outcome))
      throw new CommandError("the demo did not end as it should", exitCodes.negative);
  } finally {
    view.end();
    await session.close();
    rmSync(directory, { recursive: true, force: true });
    interruption?.release();
  }
}

function writeResults(out: string, session: Session, summary: object): void {
  mkdirSync(join(out, "keys"), { recursive: true });
  mkdirSync(join(out, "devices"), { recursive: true });
  const write = (name: string, value: object): void =>
    writeFileSync(join(out, name), `${JSON.stringify(value, null, 2)}\n`);
  write("summary.json", summary);
  write("layout.json", encodeLayout(deviceLayout(layoutName)));
  writeFileSync(join(out, "keys", "image-signing-pub.pem"), session.images.publicPem);
  for (const { id, device } of session.world.devices)
    writeFlashFile(join(out, "devices", `${id}.flash`), device.flash);
}

function report(outcome: DemoOutcome, flags: DemoFlags, url: string, command: Command): void {
  const { good, bad, engines } = outcome;
  const lines = [
    "",
    `${good.version}  ${good.confirmed} of ${good.devices} devices run it, confirmed, by the hash of what they boot`,
    `       ${good.deferred} deferred it for its battery and took it once it was charged`,
    `${bad.version}  ${bad.rolledBack} of the ${bad.attempted} devices that tried it went back by themselves`,
    `       ${bad.halted ? "the rollout halted: nobody else was offered it" : "THE ROLLOUT DID NOT HALT"}`,
    `engines: ${engines.node} devices on node, ${engines.xs} on xs`,
  ];
  if (flags.once !== true) lines.push("", `The fleet stays up at ${url}/ until Ctrl-C.`);
  const tell = flags.json === true ? note : print;
  tell(command, lines.join("\n"));
}
