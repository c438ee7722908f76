/**
 * What is known of a device beside what it runs: the operator's word, else the device's own, told
 * as an attribute `sluice-FIELD` or `FIELD` (`PUT configData`).
 */
export const registryFields = [
  "region",
  "timezone",
  "connectivity",
  "criticality",
  "bootloader",
  "battery",
  "signal",
] as const;

/** Fields that an operator can set. */
export const operatorFields = [
  "region",
  "timezone",
  "connectivity",
  "criticality",
  "bootloader",
] as const satisfies readonly RegistryField[];

export type OperatorField = (typeof operatorFields)[number];

/** How wifi, cellular and the like are paid and reached. */
export const connectivities = ["wifi", "ethernet", "cellular", "metered", "satellite"] as const;
export const criticalities = ["low", "normal", "high", "critical"] as const;

export type RegistryField = (typeof registryFields)[number];

/** The columns of the database; null for what nobody told. */
export type RegistryColumns = {
  readonly [Field in RegistryField]: Field extends "battery" | "signal"
    ? number | null
    : string | null;
};

type Rule = {
  readonly says: string;
  fits(text: string): boolean;
};

/** Printable, without what a filter would have to quote. */
const word = /^[A-Za-z0-9][A-Za-z0-9._+/-]{0,63}$/;

const rules: Readonly<Record<RegistryField, Rule>> = {
  region: { says: "1 to 64 letters, digits and . _ + / -", fits: (text) => word.test(text) },
  timezone: { says: "an IANA name, such as Europe/Berlin", fits: isTimeZone },
  connectivity: {
    says: `one of ${connectivities.join(", ")}`,
    fits: (text) => connectivities.some((one) => one === text),
  },
  criticality: {
    says: `one of ${criticalities.join(", ")}`,
    fits: (text) => criticalities.some((one) => one === text),
  },
  bootloader: { says: "1 to 64 letters, digits and . _ + / -", fits: (text) => word.test(text) },
  battery: { says: "a number of percent, 0 to 100", fits: (text) => isNumber(text, 0, 100) },
  signal: { says: "a number of dBm, -200 to 50", fits: (text) => isNumber(text, -200, 50) },
};

/** Why a field cannot have this value, or null. */
export function whyNotRegistered(field: RegistryField, text: string): string | null {
  const rule = rules[field];
  return rule.fits(text) ? null : `${field} is ${rule.says}, not ${JSON.stringify(text)}`;
}

/** A value that is none is as if nobody had told it. */
export function columnsOfRegistry(
  set: Readonly<Partial<Record<RegistryField, string>>>,
  told: Readonly<Record<string, string>>,
): RegistryColumns {
  const columns = Object.fromEntries(
    registryFields.map((field) => {
      const text = set[field] ?? told[`sluice-${field}`] ?? told[field];
      if (text === undefined || !rules[field].fits(text)) return [field, null];
      return [field, field === "battery" || field === "signal" ? Number(text) : text];
    }),
  );
  return columns as RegistryColumns;
}

/** Tags and groups have the form of words, and a bound for each device. */
export const labelsPerDeviceMax = 64;
export const labelPattern = "^[A-Za-z0-9][A-Za-z0-9._+/-]{0,63}$";

export function isLabel(text: string): boolean {
  return word.test(text);
}

function isNumber(text: string, least: number, most: number): boolean {
  if (!/^-?[0-9]{1,3}(?:[.][0-9]{1,3})?$/.test(text)) return false;
  return Number(text) >= least && Number(text) <= most;
}

function isTimeZone(text: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9._+/-]{0,63}$/.test(text)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: text });
    return true;
  } catch {
    return false;
  }
}
