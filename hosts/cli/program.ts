import { Command, Option, type OutputConfiguration } from "commander";
import { registerAuditShow, registerAuditVerify } from "./audit/verify.ts";
import { registerBoardBuild } from "./board/build.ts";
import { registerBoardFlash } from "./board/flash.ts";
import { registerBoardLink } from "./board/link.ts";
import type { RunLine } from "./command/lines.ts";
import { guardedOutput } from "./command/output.ts";
import { registerConfigInfo } from "./config/info.ts";
import { registerConfigPublish } from "./config/publish.ts";
import { registerConfigSign } from "./config/sign.ts";
import { registerDemo } from "./demo/command.ts";
import { registerDeviceAdd } from "./device/add.ts";
import { registerDeviceCancel } from "./device/cancel.ts";
import { registerDeviceClear } from "./device/clear.ts";
import { registerDeviceEnroll } from "./device/enroll.ts";
import { registerDeviceEvents } from "./device/events.ts";
import { registerDeviceExport } from "./device/export.ts";
import { registerDeviceImport } from "./device/import.ts";
import { registerDeviceList } from "./device/list.ts";
import { registerDeviceRemove } from "./device/remove.ts";
import { registerDeviceSet } from "./device/set.ts";
import { registerDeviceShow } from "./device/show.ts";
import { registerDeviceSimulate } from "./device/simulate.ts";
import { registerFleetLimit } from "./fleet/limit.ts";
import { registerFleetServe } from "./fleet/serve.ts";
import { registerImageInfo } from "./image/info.ts";
import { registerImageSign } from "./image/sign.ts";
import { registerImageVerify } from "./image/verify.ts";
import { registerKeysCreate } from "./keys/create.ts";
import { registerKeysImport } from "./keys/import.ts";
import { registerKeysList } from "./keys/list.ts";
import { registerKeysPublic } from "./keys/public.ts";
import { registerKeysRevoke } from "./keys/revoke.ts";
import { registerKeysRotate } from "./keys/rotate.ts";
import { registerModdableRelease } from "./moddable/release.ts";
import { registerModdableRun } from "./moddable/run.ts";
import { underConfiguration } from "./options/configuration.ts";
import { registerPolicyApply } from "./policy/apply.ts";
import { registerPolicyList } from "./policy/list.ts";
import { registerPolicyShow } from "./policy/show.ts";
import { registerReleaseBuild } from "./release/build.ts";
import { registerReleaseClearRollback } from "./release/clear-rollback.ts";
import { registerReleaseDiff } from "./release/diff.ts";
import { registerReleaseList } from "./release/list.ts";
import { registerReleasePublish } from "./release/publish.ts";
import { registerReleaseShip } from "./release/ship.ts";
import { registerReleaseSign } from "./release/sign.ts";
import { registerRolloutChange } from "./rollout/change.ts";
import { registerRolloutCreate } from "./rollout/create.ts";
import { registerRolloutDecisions } from "./rollout/decisions.ts";
import { registerRolloutList } from "./rollout/list.ts";
import { registerRolloutPreview } from "./rollout/preview.ts";
import { registerRolloutShow } from "./rollout/show.ts";
import { registerInit } from "./setup/init.ts";
import { registerSimulate } from "./simulation/command.ts";
import { registerTrustInit } from "./trust/init.ts";
import { registerTrustKeys } from "./trust/keys.ts";
import { registerTrustExport, registerTrustImport } from "./trust/payload.ts";
import { registerTrustPublish } from "./trust/publish.ts";
import { registerTrustRefresh } from "./trust/refresh.ts";
import { registerTrustAddRelease, registerTrustRemoveRelease } from "./trust/release.ts";
import { registerTrustSign } from "./trust/sign.ts";
import { registerTrustVerify } from "./trust/verify.ts";
import { registerWindowList } from "./window/list.ts";
import { registerWindowRemove } from "./window/remove.ts";
import { registerWindowSet } from "./window/set.ts";

interface CommandGroup {
  readonly name: string;
  readonly description: string;
  readonly subcommands: readonly ((group: Command) => void)[];
}

/** In the order of the help. */
const groups: readonly CommandGroup[] = [
  {
    name: "keys",
    description: "Make, keep and replace the keys that sign",
    subcommands: [
      registerKeysCreate,
      registerKeysPublic,
      registerKeysImport,
      registerKeysList,
      registerKeysRotate,
      registerKeysRevoke,
    ],
  },
  {
    name: "audit",
    description: "The log of every use of a key",
    subcommands: [registerAuditShow, registerAuditVerify],
  },
  {
    name: "trust",
    description: "What devices may install: signed metadata (TUF)",
    subcommands: [
      registerTrustInit,
      registerTrustSign,
      registerTrustKeys,
      registerTrustRefresh,
      registerTrustVerify,
      registerTrustExport,
      registerTrustImport,
      registerTrustAddRelease,
      registerTrustPublish,
      registerTrustRemoveRelease,
    ],
  },
  {
    name: "image",
    description: "Make, verify and look into MCUboot images",
    subcommands: [registerImageSign, registerImageVerify, registerImageInfo],
  },
  {
    name: "config",
    description: "Sign and publish configurations of devices",
    subcommands: [registerConfigSign, registerConfigInfo, registerConfigPublish],
  },
  {
    name: "release",
    description: "Build, sign and publish releases",
    subcommands: [
      registerReleaseBuild,
      registerReleaseDiff,
      registerReleaseSign,
      registerReleasePublish,
      registerReleaseList,
      registerReleaseClearRollback,
      (group) => registerReleaseShip(group, runLine),
    ],
  },
  {
    name: "fleet",
    description: "The fleet server",
    subcommands: [registerFleetServe, registerFleetLimit],
  },
  {
    name: "policy",
    description: "How rollouts go, and what stops them",
    subcommands: [registerPolicyApply, registerPolicyList, registerPolicyShow],
  },
  {
    name: "window",
    description: "When groups of devices may download and install",
    subcommands: [registerWindowSet, registerWindowList, registerWindowRemove],
  },
  {
    name: "rollout",
    description: "Bring releases to devices, stage by stage",
    subcommands: [
      registerRolloutPreview,
      registerRolloutCreate,
      registerRolloutList,
      registerRolloutShow,
      registerRolloutDecisions,
      registerRolloutChange,
    ],
  },
  {
    name: "device",
    description: "The devices of a fleet",
    subcommands: [
      registerDeviceAdd,
      registerDeviceEnroll,
      registerDeviceList,
      registerDeviceShow,
      registerDeviceSet,
      registerDeviceEvents,
      registerDeviceCancel,
      registerDeviceClear,
      registerDeviceImport,
      registerDeviceExport,
      registerDeviceRemove,
      (group) => registerDeviceSimulate(group, runLine),
    ],
  },
  {
    name: "board",
    description: "Firmware for real boards",
    subcommands: [registerBoardBuild, registerBoardFlash, registerBoardLink],
  },
  {
    name: "moddable",
    description: "Applications on the Moddable SDK's simulator",
    subcommands: [registerModdableRun, registerModdableRelease],
  },
];

/** The whole command line; each subcommand registers itself from a file of its own. */
export function createProgram(output: OutputConfiguration = {}): Command {
  const program = new Command("sluice");
  program
    .description("Updates ESP32 fleets over the air and never loses a device")
    .version("0.1.0")
    .showHelpAfterError("(add --help for the options)")
    .configureOutput(guardedOutput(output))
    .enablePositionalOptions() // so that a subcommand may have a --version of its own
    .exitOverride();
  registerInit(program, runLine);
  for (const { name, description, subcommands } of groups) {
    const group = program.command(name).description(description);
    for (const register of subcommands) register(group);
  }
  registerDemo(program);
  registerSimulate(program);
  for (const command of leavesOf(program)) addConfigOption(command);
  return program;
}

/** Runs a command line of a command that stands for several. */
const runLine: RunLine = (line, output) =>
  underConfiguration(line, async () => {
    await createProgram(output).parseAsync([...line], { from: "user" });
  });

function leavesOf(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);
}

/** Read before the options are: what it names gives them their defaults. */
function addConfigOption(command: Command): void {
  if (command.name() === "init") return;
  command.addOption(
    new Option(
      "--config <dir>",
      "what sluice init made: server, token and keys; else SLUICE_CONFIG",
    ),
  );
}
