import type { BootStatus, LoaderState } from "./loader-state.ts";

/** swap_status_source of swap using scratch (boot_status_tables): the first line that fits. */
export function scratchStatusSource(state: LoaderState): BootStatus["source"] {
  const { magic, copyDone } = state.primary.readState();
  const scratchIsGood = state.scratch?.readMagic() === "good";
  if (magic === "good" && !scratchIsGood && copyDone === "set") return "none";
  if (magic === "good" && !scratchIsGood && copyDone === "unset") return "primary";
  if (scratchIsGood) return "scratch";
  if (magic === "unset" && copyDone === "unset") return "primary";
  return "none";
}
