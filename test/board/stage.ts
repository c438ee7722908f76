import type { BoardDevice } from "../../hosts/esp32/emulator/board-device.ts";
import type { Checks } from "../moddable/checks.ts";
import type { Kit } from "./kit.ts";

/** What every part gets. */
export interface Stage {
  readonly checks: Checks;
  readonly kit: Kit;
  /** Of the part, for whatever its scenarios write. */
  readonly directory: string;
}

/** A check of one scenario: the first that fails ends it. */
export type Check = (name: string, run: () => void | Promise<void>) => Promise<void>;

/** The scenario ended with a check that failed and was told. */
export class SceneOver extends Error {}

const shownLines = 40;
/** What ROM and bootloader say at every start, and protocols on the console. */
const noise = /^(?:I \(\d+\) |load:|SPIWP:|mode:|entry |Build:|\p{Cc}|$)/u;

/**
 * Runs a scenario with a device; shows the end of its console when a check fails, and switches it
 * off in any case.
 */
export async function closing(
  checks: Checks,
  one: BoardDevice,
  run: (check: Check) => Promise<void>,
): Promise<void> {
  const show = (): void =>
    console.log(indented(one.console.filter((line) => !noise.test(line)).slice(-shownLines)));
  try {
    await run(async (name, act) => {
      if (!(await checks.check(name, act))) throw new SceneOver(name);
    });
  } catch (error) {
    show();
    throw error;
  } finally {
    await one.close();
  }
}

function indented(lines: readonly string[]): string {
  return lines.map((line) => `  | ${line}`).join("\n");
}
