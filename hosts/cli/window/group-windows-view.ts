import type { GroupWindowsAnswer } from "../../fleet/routes/management/schemas/windows.ts";
import { type Checked, isNumber, isText, partOf, recordOf } from "../server/answer-shape.ts";
import { isAny } from "../server/fleet-views.ts";

export type GroupWindowsView = Checked<typeof isGroupWindows>;

export const isGroupWindows = partOf<GroupWindowsAnswer>()({
  group: isText,
  windows: recordOf(isAny),
  changedAtUnixMs: isNumber,
});
