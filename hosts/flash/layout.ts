import { checkSlotLayout } from "../../src/image/layout.ts";
import { sectorBytes } from "./geometry.ts";

/** A range of the chip in bytes from its start. */
export interface Extent {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

export interface SlotExtent extends Extent {
  readonly sectors: number;
}

/**
 * Where the bootloader finds its slots: what a layout file or an entry of `layouts` in a
 * vectors.json tells.
 */
export interface FlashLayout {
  readonly flashBytes: number;
  readonly primary: SlotExtent;
  readonly secondary: SlotExtent;
  /** Only swap using scratch needs it. */
  readonly scratch: SlotExtent | null;
  /** The page in which the trial-boot hook counts; null on a board without the hook. */
  readonly bootctl: Extent | null;
  /** Key-value data of the application. */
  readonly storage: Extent | null;
  /** The bootloader itself; null where nobody says, and its record is then not looked for. */
  readonly boot: Extent | null;
}

/** The layout of one of our devices: equal slots, and both areas of ours. */
export interface DeviceLayout extends FlashLayout {
  readonly bootctl: Extent;
  readonly storage: Extent;
}

export type LayoutDefect =
  | "not-a-layout"
  | "sector-size"
  | "unaligned"
  | "outside-flash"
  | "sector-count"
  | "overlapping"
  | "unequal-slots"
  | "slot-too-small"
  | "missing-area";

export type LayoutResult<Layout> =
  | { readonly ok: true; readonly layout: Layout }
  | { readonly ok: false; readonly reason: LayoutDefect; readonly message: string };

const areaNames = ["primary", "secondary", "scratch", "bootctl", "storage", "boot"] as const;
type AreaName = (typeof areaNames)[number];

/**
 * Any layout that the bootloader can be built for: slots may differ in size, our areas may be
 * absent.
 */
export function parseFlashLayout(value: unknown): LayoutResult<FlashLayout> {
  if (!isRecord(value)) return refuse("not-a-layout", `expected an object, got ${kindOf(value)}`);
  const flashBytes = value["flash_size"];
  if (!isSize(flashBytes))
    return refuse("not-a-layout", `flash_size is ${kindOf(flashBytes)}, not a number of bytes`);
  if (value["sector_size"] !== sectorBytes)
    return refuse("sector-size", `sector_size is ${value["sector_size"]}, not ${sectorBytes}`);
  if (flashBytes % sectorBytes !== 0)
    return refuse("unaligned", `flash_size ${flashBytes} is not whole ${sectorBytes}-byte sectors`);

  const areas = new Map<AreaName, Extent>();
  for (const name of areaNames) {
    if (value[name] === undefined || value[name] === null) continue;
    const area = parseArea(name, value[name], flashBytes);
    if (!area.ok) return area;
    areas.set(name, area.layout);
  }
  const overlap = findOverlap([...areas]);
  if (overlap !== null) return refuse("overlapping", overlap);
  const primary = areas.get("primary");
  const secondary = areas.get("secondary");
  if (primary === undefined || secondary === undefined)
    return refuse("missing-area", `${primary === undefined ? "primary" : "secondary"} is absent`);
  const scratch = areas.get("scratch");
  return {
    ok: true,
    layout: {
      flashBytes,
      primary: slotExtent(primary),
      secondary: slotExtent(secondary),
      scratch: scratch === undefined ? null : slotExtent(scratch),
      bootctl: areas.get("bootctl") ?? null,
      storage: areas.get("storage") ?? null,
      boot: areas.get("boot") ?? null,
    },
  };
}

/** A layout that our own configuration can run on. */
export function parseDeviceLayout(value: unknown): LayoutResult<DeviceLayout> {
  const parsed = parseFlashLayout(value);
  if (!parsed.ok) return parsed;
  const { primary, secondary, bootctl, storage } = parsed.layout;
  if (primary.sizeBytes !== secondary.sizeBytes)
    return refuse(
      "unequal-slots",
      `primary has ${primary.sizeBytes} bytes, secondary ${secondary.sizeBytes}; they must be equal`,
    );
  const slots = checkSlotLayout({
    sectorBytes,
    writeBlockBytes: 4,
    maxAlignBytes: 8,
    primary,
    secondary,
  });
  if (!slots.ok) return refuse("slot-too-small", slots.message);
  if (bootctl === null) return refuse("missing-area", "bootctl is absent");
  if (storage === null) return refuse("missing-area", "storage is absent");
  if (bootctl.sizeBytes !== sectorBytes)
    return refuse("sector-count", `bootctl has ${bootctl.sizeBytes} bytes, not one sector`);
  return { ok: true, layout: { ...parsed.layout, bootctl, storage } };
}

/** The layout as a layout file holds it: what `sluice simulate --layout` reads. */
export function encodeLayout(layout: DeviceLayout): object {
  const area = ({ offsetBytes, sizeBytes }: Extent) => ({ offset: offsetBytes, size: sizeBytes });
  const slot = (extent: SlotExtent) => ({ ...area(extent), sectors: extent.sectors });
  return {
    flash_size: layout.flashBytes,
    sector_size: sectorBytes,
    primary: slot(layout.primary),
    secondary: slot(layout.secondary),
    storage: area(layout.storage),
    bootctl: area(layout.bootctl),
    ...(layout.boot === null ? {} : { boot: area(layout.boot) }),
  };
}

function parseArea(name: AreaName, value: unknown, flashBytes: number): LayoutResult<Extent> {
  if (!isRecord(value)) return refuse("not-a-layout", `${name} is ${kindOf(value)}`);
  const { offset, size, sectors } = value;
  if (!isSize(offset) || !isSize(size) || size === 0)
    return refuse("not-a-layout", `${name} has offset ${kindOf(offset)} and size ${kindOf(size)}`);
  if (offset % sectorBytes !== 0 || size % sectorBytes !== 0)
    return refuse(
      "unaligned",
      `${name} has ${size} bytes at ${offset}: not whole ${sectorBytes}-byte sectors`,
    );
  if (offset + size > flashBytes)
    return refuse("outside-flash", `${name} ends at ${offset + size}, the chip at ${flashBytes}`);
  if (sectors !== undefined && sectors !== size / sectorBytes)
    return refuse("sector-count", `${name} claims ${sectors} sectors in ${size} bytes`);
  return { ok: true, layout: { offsetBytes: offset, sizeBytes: size } };
}

function findOverlap(areas: readonly (readonly [AreaName, Extent])[]): string | null {
  const sorted = areas.toSorted(([, left], [, right]) => left.offsetBytes - right.offsetBytes);
  for (let index = 1; index < sorted.length; index++) {
    const [lower, below] = sorted[index - 1]!;
    const [upper, above] = sorted[index]!;
    const end = below.offsetBytes + below.sizeBytes;
    if (end > above.offsetBytes)
      return `${lower} ends at ${end}, ${upper} starts at ${above.offsetBytes}`;
  }
  return null;
}

export function slotExtent(extent: Extent): SlotExtent {
  return { ...extent, sectors: extent.sizeBytes / sectorBytes };
}

function refuse(reason: LayoutDefect, message: string): LayoutResult<never> {
  return { ok: false, reason, message };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function kindOf(value: unknown): string {
  return typeof value === "number" ? String(value) : value === null ? "null" : typeof value;
}
