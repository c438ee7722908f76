import { join } from "node:path";

/** How the code of one boot is started. The end of its process is the reset of the chip. */
export interface Launch {
  readonly command: string;
  readonly parameters: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** What a line of the console begins with after which XS has ended and the process goes on. */
  readonly abortPrefix?: string;
  /** The exit code of a program that a person closed. */
  readonly closedExitCode?: number;
}

export type Launcher = (library: string, flashFile: string) => Launch;

/** By the program of runner.c, without a display. */
export function startedBy(runner: string): Launcher {
  return (library) => ({ command: runner, parameters: [library] });
}

/** Firmware that is a program of its own, built for Zephyr's `native_sim`. */
export const startedItself: Launcher = (program, flashFile) => ({
  command: program,
  parameters: [`--flash=${flashFile}`],
});

export interface McsimPlace {
  /** The program of runner.c, which winds up the watchdog as a bootloader does. */
  readonly runner: string;
  /** The folder of the SDK, built. */
  readonly sdkFolder: string;
  /** `DISPLAY` of the X server that mcsim draws on. */
  readonly display: string;
  /**
   * A folder for what mcsim keeps in `$HOME/.config`: two that share one overwrite each other's.
   */
  readonly home: string;
}

/**
 * By the SDK's own simulator. It shows what XS aborts in a dialog and goes on, so a line of its
 * console tells; `stdbuf` makes it print each line when it is whole.
 */
export function startedByMcsim({ runner, sdkFolder, display, home }: McsimPlace): Launcher {
  const mcsim = join(sdkFolder, "build", "bin", "lin", "release", "mcsim");
  const devices = join(sdkFolder, "build", "simulators");
  return (library) => ({
    command: runner,
    parameters: ["--become", "stdbuf", "-oL", mcsim, devices, library],
    environment: { HOME: home, DISPLAY: display },
    abortPrefix: "XS abort: ",
    closedExitCode: 0,
  });
}
