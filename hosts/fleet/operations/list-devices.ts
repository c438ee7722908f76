import { type DeviceFilter, type DeviceRow, listDevices } from "../storage/devices.ts";
import type { Fleet } from "./fleet.ts";
import type { Scan } from "./scan-desk.ts";

interface ListQuestion {
  readonly filter: DeviceFilter;
  readonly page: { readonly after: string | null; readonly limit: number };
}

export const listDevicesScan: Scan<ListQuestion, DeviceRow[]> = {
  name: "list-devices",
  answer: ({ db }, { filter, page }) => listDevices(db, filter, page),
};

/** A page of all devices is read at once; of those that pass a filter it takes a scan. */
export function findDevices(fleet: Fleet, question: ListQuestion): Promise<DeviceRow[]> {
  const { filter, page } = question;
  return Object.values(filter).every((wanted) => wanted === undefined)
    ? listDevices(fleet.database.queries, filter, page)
    : fleet.scans.ask(fleet.database, listDevicesScan, question);
}
