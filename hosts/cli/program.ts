import { Command, type OutputConfiguration } from "commander";
import { registerAuditShow, registerAuditVerify } from "./audit-verify.ts";
import { registerBoardBuild } from "./board-build.ts";
import { registerBoardFlash } from "./board-flash.ts";
import { registerBoardLink } from "./board-link.ts";
import { registerConfigInfo } from "./config-info.ts";
import { registerConfigPublish } from "./config-publish.ts";
import { registerConfigSign } from "./config-sign.ts";
import { registerDemo } from "./demo.ts";
import { registerDeviceAdd } from "./device-add.ts";
import { registerDeviceClear } from "./device-clear.ts";
import { registerDeviceEnroll } from "./device-enroll.ts";
import { registerDeviceEvents } from "./device-events.ts";
import { registerDeviceList } from "./device-list.ts";
import { registerDeviceRemove } from "./device-remove.ts";
import { registerDeviceShow } from "./device-show.ts";
import { registerFleetServe } from "./fleet-serve.ts";
import { registerImageInfo } from "./image-info.ts";
import { registerImageSign } from "./image-sign.ts";
import { registerImageVerify } from "./image-verify.ts";
import { registerKeysCreate } from "./keys-create.ts";
import { registerKeysImport } from "./keys-import.ts";
import { registerKeysList } from "./keys-list.ts";
import { registerKeysPublic } from "./keys-public.ts";
import { registerKeysRevoke } from "./keys-revoke.ts";
import { registerKeysRotate } from "./keys-rotate.ts";
import { guardedOutput } from "./output.ts";
import { registerReleaseBuild } from "./release-build.ts";
import { registerReleaseClearRollback } from "./release-clear-rollback.ts";
import { registerReleaseDiff } from "./release-diff.ts";
import { registerReleaseList } from "./release-list.ts";
import { registerReleasePublish } from "./release-publish.ts";
import { registerReleaseSign } from "./release-sign.ts";
import { registerRolloutChange } from "./rollout-change.ts";
import { registerRolloutCreate } from "./rollout-create.ts";
import { registerRolloutList } from "./rollout-list.ts";
import { registerRolloutShow } from "./rollout-show.ts";
import { registerSimulate } from "./simulate.ts";
import { registerTrustInit } from "./trust-init.ts";
import { registerTrustKeys } from "./trust-keys.ts";
import { registerTrustExport, registerTrustImport } from "./trust-payload.ts";
import { registerTrustPublish } from "./trust-publish.ts";
import { registerTrustRefresh } from "./trust-refresh.ts";
import { registerTrustAddRelease, registerTrustRemoveRelease } from "./trust-release.ts";
import { registerTrustSign } from "./trust-sign.ts";
import { registerTrustVerify } from "./trust-verify.ts";

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
  registerKeysCreate(program);
  registerKeysPublic(program);
  registerKeysImport(program);
  registerKeysList(program);
  registerKeysRotate(program);
  registerKeysRevoke(program);
  registerAuditShow(program);
  registerAuditVerify(program);
  registerTrustInit(program);
  registerTrustSign(program);
  registerTrustKeys(program);
  registerTrustRefresh(program);
  registerTrustVerify(program);
  registerTrustExport(program);
  registerTrustImport(program);
  registerTrustAddRelease(program);
  registerTrustPublish(program);
  registerTrustRemoveRelease(program);
  registerImageSign(program);
  registerImageVerify(program);
  registerImageInfo(program);
  registerConfigSign(program);
  registerConfigInfo(program);
  registerConfigPublish(program);
  registerReleaseBuild(program);
  registerReleaseDiff(program);
  registerReleaseSign(program);
  registerReleasePublish(program);
  registerReleaseList(program);
  registerReleaseClearRollback(program);
  registerFleetServe(program);
  registerRolloutCreate(program);
  registerRolloutList(program);
  registerRolloutShow(program);
  registerRolloutChange(program);
  registerDeviceAdd(program);
  registerDeviceEnroll(program);
  registerDeviceList(program);
  registerDeviceShow(program);
  registerDeviceEvents(program);
  registerDeviceClear(program);
  registerDeviceRemove(program);
  registerBoardBuild(program);
  registerBoardFlash(program);
  registerBoardLink(program);
  registerDemo(program);
  registerSimulate(program);
  return program;
}
