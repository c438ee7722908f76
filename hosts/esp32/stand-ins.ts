import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ModuleGraph } from "./module-graph.ts";
import type { FirmwareModule } from "./module-list.ts";
import { modulesWithUnusedMethods, withoutUnusedMethods } from "./unused-methods.ts";

const standInFolder = join(import.meta.dirname, "modules/tls");

/**
 * In place of modules of the SDK's TLS that `SecureSession` never comes to, or needs little of: it
 * judges certificates itself, takes one suite and ECDSA on P-256, and takes up no earlier session.
 */
const standIns: ReadonlyMap<string, string> = new Map([
  ["dsa", "no-signature.ts"],
  ["ecdsa", "ecdsa.ts"],
  ["pkcs1_5", "no-signature.ts"],
  ["ssl/cache", "ssl-cache.ts"],
  ["ssl/cert", "ssl-cert.ts"],
  ["ssl/ciphersuites", "ssl-ciphersuites.ts"],
]);

/** Whether the module is of the SDK's manifest for TLS. */
const isOfTls = (name: string): boolean =>
  name.startsWith("ssl/") ||
  ["ber", "pkcs1", "pkcs8", "rsa", "x509"].includes(name) ||
  standIns.has(name);

/**
 * With the stand-ins, and without methods that are never called, unless a program uses the SDK's
 * TLS otherwise than through the firmware's sockets. What is made of the SDK's modules goes to
 * `folder`.
 */
export function withStandIns(
  modules: ReadonlyMap<string, FirmwareModule>,
  roots: readonly string[],
  folder: string,
): ReadonlyMap<string, FirmwareModule> {
  const graph = new ModuleGraph(modules);
  const others = [...graph.reachedFrom(roots.filter((name) => !isOfTls(name)))].filter(
    (name) => !isOfTls(name) && !name.startsWith("sluice/"),
  );
  const isUsed = others.some((name) => graph.importsOf(name).some(({ from }) => isOfTls(from)));
  if (isUsed) return modules;
  const changed = new Map(modules);
  for (const [name, file] of standIns) {
    const module = modules.get(name);
    if (module !== undefined) changed.set(name, { ...module, source: join(standInFolder, file) });
  }
  for (const name of modulesWithUnusedMethods) {
    const module = modules.get(name);
    if (module === undefined) continue;
    const source = join(folder, `${name.replace("/", "-")}.client.js`);
    writeFileSync(source, withoutUnusedMethods(name, readFileSync(module.source, "utf8")));
    changed.set(name, { ...module, source });
  }
  return changed;
}
