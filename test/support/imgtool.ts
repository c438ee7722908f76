import { spawnSync } from "node:child_process";

const command = process.env["SLUICE_IMGTOOL"] ?? "imgtool";
const found = spawnSync(command, ["version"], { encoding: "utf8" });

/** A test that needs MCUboot's imgtool passes this as its `skip` option. */
export const skipWithoutImgtool: string | false =
  found.status === 0
    ? false
    : 'skipped: no imgtool on the PATH or in SLUICE_IMGTOOL ("pip install imgtool")';

export interface ImgtoolResult {
  readonly exitCode: number | null;
  readonly output: string;
}

export function imgtool(...argv: string[]): ImgtoolResult {
  const run = spawnSync(command, argv, { encoding: "utf8" });
  return { exitCode: run.status, output: run.stdout + run.stderr };
}
