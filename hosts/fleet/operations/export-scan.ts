import { readOperatorFacts } from "../storage/device-import.ts";
import { type DeviceFilter, listDevices } from "../storage/devices.ts";
import type { OperatorField } from "../terms/registry.ts";
import type { Scan } from "./scan-desk.ts";

/** What a file of devices says of one: its hardware, and the operator's words. */
export interface ExportedDevice {
  readonly id: string;
  readonly hardware: string | null;
  readonly fields: Readonly<Partial<Record<OperatorField, string>>>;
  readonly tags: readonly string[];
  readonly groups: readonly string[];
}

interface ExportQuestion {
  readonly filter: DeviceFilter;
  readonly page: { readonly after: string | null; readonly limit: number };
}

/** A page of devices as a file has them, in the order of the ids. */
export const exportScan: Scan<ExportQuestion, ExportedDevice[]> = {
  name: "export",
  async answer({ db }, { filter, page }) {
    const ids = (await listDevices(db, filter, page)).map(({ id }) => id);
    const facts = await readOperatorFacts(db, ids);
    return ids.flatMap((id) => {
      const of = facts.get(id);
      if (of === undefined) return [];
      const { hardware, fields, labels } = of;
      return [{ id, hardware, fields, tags: labels.tag, groups: labels.group }];
    });
  },
};
