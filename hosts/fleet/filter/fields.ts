import { shownStates } from "../rollout/member.ts";
import { connectivities, criticalities } from "../terms/registry.ts";

/** What a filter may ask of a device; null for what nobody told. */
export interface DeviceFacts {
  readonly id: string;
  readonly hardware: string | null;
  readonly version: string | null;
  readonly confirmed: boolean | null;
  readonly configuration: number | null;
  readonly state: string;
  readonly reason: string | null;
  readonly region: string | null;
  readonly timezone: string | null;
  readonly connectivity: string | null;
  readonly criticality: string | null;
  readonly bootloader: string | null;
  /** Percent. */
  readonly battery: number | null;
  /** dBm. */
  readonly signal: number | null;
  /** Times in milliseconds since 1970. */
  readonly created: number;
  readonly seen: number | null;
  readonly wake: number | null;
  readonly tag: ReadonlySet<string>;
  readonly group: ReadonlySet<string>;
  readonly attribute: ReadonlyMap<string, string>;
}

type FieldOf<Type> = {
  [Name in keyof DeviceFacts]: DeviceFacts[Name] extends Type ? Name : never;
}[keyof DeviceFacts];

export type TextField = Exclude<FieldOf<string | null>, "version">;
export type NumberField = Exclude<FieldOf<number | null>, TimeField>;
export type TimeField = "created" | "seen" | "wake";
export type SetField = "tag" | "group";

/** A field as filters name it; attributes are named `attribute.KEY`. */
export type FieldRef =
  | { readonly type: "text"; readonly name: TextField }
  | { readonly type: "attribute"; readonly key: string }
  | { readonly type: "set"; readonly name: SetField }
  | { readonly type: "version"; readonly name: "version" }
  | { readonly type: "number"; readonly name: NumberField }
  | { readonly type: "time"; readonly name: TimeField }
  | { readonly type: "truth"; readonly name: "confirmed" };

/** The words that a field can have, where they are known. */
export const wordsOf: Partial<Record<TextField, readonly string[]>> = {
  state: shownStates,
  connectivity: connectivities,
  criticality: criticalities,
};

const named: { readonly [Name in Exclude<keyof DeviceFacts, "attribute">]: FieldRef } = {
  id: { type: "text", name: "id" },
  hardware: { type: "text", name: "hardware" },
  version: { type: "version", name: "version" },
  confirmed: { type: "truth", name: "confirmed" },
  configuration: { type: "number", name: "configuration" },
  state: { type: "text", name: "state" },
  reason: { type: "text", name: "reason" },
  region: { type: "text", name: "region" },
  timezone: { type: "text", name: "timezone" },
  connectivity: { type: "text", name: "connectivity" },
  criticality: { type: "text", name: "criticality" },
  bootloader: { type: "text", name: "bootloader" },
  battery: { type: "number", name: "battery" },
  signal: { type: "number", name: "signal" },
  created: { type: "time", name: "created" },
  seen: { type: "time", name: "seen" },
  wake: { type: "time", name: "wake" },
  tag: { type: "set", name: "tag" },
  group: { type: "set", name: "group" },
};

export const fieldNames: readonly string[] = [...Object.keys(named), "attribute.KEY"];

/** Null for a name that no field has. */
export function fieldOf(name: string): FieldRef | null {
  const prefix = "attribute.";
  if (name.startsWith(prefix) && name.length > prefix.length)
    return { type: "attribute", key: name.slice(prefix.length) };
  return Object.hasOwn(named, name) ? named[name as keyof typeof named] : null;
}
