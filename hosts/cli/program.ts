import { Command } from "commander";
import { registerDeviceAdd } from "./device-add.ts";
import { registerDeviceClear } from "./device-clear.ts";
import { registerDeviceList } from "./device-list.ts";
import { registerDeviceShow } from "./device-show.ts";
import { registerFleetServe } from "./fleet-serve.ts";
import { registerReleaseList } from "./release-list.ts";
import { registerReleasePublish } from "./release-publish.ts";
import { registerRolloutChange } from "./rollout-change.ts";
import { registerRolloutCreate } from "./rollout-create.ts";
import { registerRolloutList } from "./rollout-list.ts";
import { registerRolloutShow } from "./rollout-show.ts";

/** The whole command line; each subcommand registers itself from a file of its own. */
export function createProgram(): Command {
  const program = new Command("sluice");
  program
    .description("Updates ESP32 fleets over the air and never loses a device")
    .version("0.1.0")
    .showHelpAfterError()
    .exitOverride();
  registerFleetServe(program);
  registerReleasePublish(program);
  registerReleaseList(program);
  registerRolloutCreate(program);
  registerRolloutList(program);
  registerRolloutShow(program);
  registerRolloutChange(program);
  registerDeviceAdd(program);
  registerDeviceList(program);
  registerDeviceShow(program);
  registerDeviceClear(program);
  return program;
}
