import type { Checks } from "../moddable/checks.ts";
import type { Kit } from "./kit.ts";

export async function checkRefusals(
  _checks: Checks,
  _kit: Kit,
  _directory: string,
): Promise<void> {}
