import { createHash } from "node:crypto";
import { Enums, Models, Serialize, SPDX, Spec } from "@cyclonedx/cyclonedx-library";
import { formatVersion } from "../../src/image/version.ts";
import { encodeManifest, type ReleaseManifest } from "./manifest.ts";
import type { SoftwarePart } from "./parts.ts";

export const sbomFileName = "sbom.cdx.json";

/** The project that the sources are of. */
export interface ProjectFacts {
  readonly name: string;
  readonly license: string | null;
}

/**
 * The bill of materials of a release, CycloneDX 1.6 in JSON: the payload of each hardware, the
 * files beside them, and every part that somebody else makes. The same release gives the same
 * bytes: it has no time in it, and its serial number comes from the manifest.
 */
export function writeSbom(
  manifest: ReleaseManifest,
  parts: readonly SoftwarePart[],
  project: ProjectFacts,
): string {
  const bom = new Models.Bom({ serialNumber: serialNumberOf(manifest) });
  const firmware = firmwareOf(manifest, project);
  bom.metadata.component = firmware;
  bom.metadata.tools.components.add(
    new Models.Component(Enums.ComponentType.Application, "sluice release build", {
      bomRef: "tool/sluice",
    }),
  );
  for (const { kind, hardware, name, sha256 } of manifest.components)
    firmware.components.add(
      new Models.Component(componentType(kind), name, {
        bomRef: `file/${kind}/${hardware ?? "all"}/${name}`,
        hashes: new Models.HashDictionary([[Enums.HashAlgorithm["SHA-256"], sha256]]),
        properties: new Models.PropertyRepository([
          new Models.Property("sluice:component", kind),
          ...(hardware === null ? [] : [new Models.Property("sluice:hardware", hardware)]),
        ]),
        // Only the hash is known of components other than the application.
        ...(kind === "application" ? { version: formatVersion(manifest.version) } : {}),
      }),
    );
  const byName = new Map(parts.map((part) => [part.name, componentOf(part)]));
  for (const part of parts) {
    const component = byName.get(part.name);
    if (component === undefined) continue;
    for (const name of part.needs) {
      const needed = byName.get(name);
      if (needed !== undefined) component.dependencies.add(needed.bomRef);
    }
    bom.components.add(component);
    if (part.in.length > 0) firmware.dependencies.add(component.bomRef);
  }
  const serializer = new Serialize.JsonSerializer(
    new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6),
  );
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`;
}

/** Name, version and licences of the parts in an SBOM; null for a text that is none. */
export function readSbomParts(text: string): ReadonlyArray<{
  readonly name: string;
  readonly version: string;
  readonly license: string;
}> | null {
  let json: { bomFormat?: unknown; components?: unknown };
  try {
    json = JSON.parse(text);
  } catch {
    return null; // the caller tells the file
  }
  if (json?.bomFormat !== "CycloneDX") return null;
  const components = (json.components ?? []) as Record<string, unknown>[];
  if (!Array.isArray(components)) return null;
  return components.map((component) => {
    const { group, name = "", version = "", licenses } = component;
    const full = typeof group === "string" ? `${group}/${name}` : String(name);
    return { name: full, version: String(version), license: licenseText(licenses) };
  });
}

function licenseText(licenses: unknown): string {
  if (!Array.isArray(licenses) || licenses.length === 0) return "none named";
  return licenses
    .map(({ expression, license }) => String(expression ?? license?.id ?? license?.name))
    .join(", ");
}

function firmwareOf(manifest: ReleaseManifest, project: ProjectFacts): Models.Component {
  const version = formatVersion(manifest.version);
  return new Models.Component(Enums.ComponentType.Firmware, project.name, {
    bomRef: `${project.name}@${version}`,
    version,
    licenses: new Models.LicenseRepository(
      project.license === null ? [] : [licenseOf(project.license)],
    ),
    properties: new Models.PropertyRepository([
      new Models.Property("sluice:variant", manifest.variant),
      ...manifest.modules.map((name) => new Models.Property("sluice:board-module", name)),
    ]),
  });
}

function componentOf(part: SoftwarePart): Models.Component {
  const [group, name = ""] = part.name.startsWith("@") ? part.name.split("/") : [null, part.name];
  const sha512 = /^sha512-([A-Za-z0-9+/=]+)$/.exec(part.integrity ?? "")?.[1];
  const { Required, Excluded } = Enums.ComponentScope;
  return new Models.Component(Enums.ComponentType.Library, name, {
    bomRef: `${part.kind}/${part.name}@${part.version}`,
    version: part.version,
    scope: part.in.length > 0 ? Required : Excluded,
    licenses: new Models.LicenseRepository(part.license === null ? [] : [licenseOf(part.license)]),
    hashes: new Models.HashDictionary(
      sha512 === undefined
        ? []
        : [[Enums.HashAlgorithm["SHA-512"], Buffer.from(sha512, "base64").toString("hex")]],
    ),
    properties: new Models.PropertyRepository(
      part.in.map((place) => new Models.Property("sluice:in", place)),
    ),
    ...(group === null || group === undefined ? {} : { group }),
    ...(part.purl === null ? {} : { purl: part.purl }),
  });
}

function licenseOf(text: string): Models.License {
  if (SPDX.isSupportedSpdxId(text)) return new Models.SpdxLicense(text);
  return / (AND|OR|WITH) /.test(text)
    ? new Models.LicenseExpression(text)
    : new Models.NamedLicense(text);
}

function componentType(kind: "application" | "bootloader" | "configuration"): Enums.ComponentType {
  return kind === "configuration" ? Enums.ComponentType.File : Enums.ComponentType.Firmware;
}

/** A UUID of version 8 (RFC 9562) made of the manifest. */
function serialNumberOf(manifest: ReleaseManifest): string {
  const hex = createHash("sha256").update(encodeManifest(manifest)).digest("hex");
  const variant = "89ab".charAt(Number.parseInt(hex.charAt(16), 16) & 3);
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`];
  return `urn:uuid:${parts.join("-")}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
