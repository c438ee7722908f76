// A TUF client for one folder: node test/peers/tuf-client.ts FLAGS init ROOT | refresh | download.
// The command that tuf-conformance drives. Exits 0 when all was done, else 1 with the reason.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { nodeHttp } from "../../hosts/release/trust/node-http.ts";
import { nodeTrustCrypto } from "../../hosts/release/trust/node-trust-crypto.ts";
import { hostLimits } from "../../src/trust/limits.ts";
import { httpSource } from "../../src/trust/metadata-source.ts";
import { accepted, refused, type Verdict } from "../../src/trust/refusal.ts";
import type { TrustRules } from "../../src/trust/trust-rules.ts";
import { type TrustedMetadata, TrustUpdater } from "../../src/trust/updater.ts";
import { acceptTrustedRoot } from "../../src/trust/workflow.ts";
import { metadataFolder } from "./tuf/metadata-folder.ts";
import { TargetFiles } from "./tuf/target-files.ts";

const usage = `usage:
  --metadata-dir DIR init ROOT
  --metadata-dir DIR --metadata-url URL refresh
  --metadata-dir DIR --metadata-url URL --target-name NAME... --target-dir DIR --target-base-url URL download`;

const options = {
  "metadata-dir": { type: "string" },
  "metadata-url": { type: "string" },
  "target-name": { type: "string", multiple: true },
  "target-dir": { type: "string" },
  "target-base-url": { type: "string" },
} as const;

const metadataTimeoutMs = 30_000;
const targetTimeoutMs = 600_000;
const rules: TrustRules = { limits: hostLimits, crypto: nodeTrustCrypto, memory: null };

process.exitCode = await run(process.argv.slice(2));

async function run(argv: readonly string[]): Promise<0 | 1> {
  try {
    const failure = await perform(argv);
    if (failure === null) return 0;
    console.error(failure);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
  }
  return 1;
}

/** Null, or what people are told. */
async function perform(argv: readonly string[]): Promise<string | null> {
  const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
  const [verb, rootPath] = positionals;
  const folder = values["metadata-dir"];
  if (folder === undefined) return usage;
  if (verb === "init" && rootPath !== undefined) return told(initialise(folder, rootPath));
  const url = values["metadata-url"];
  if (url === undefined) return usage;
  const updater = new TrustUpdater({
    source: httpSource(nodeHttp, {
      baseUrl: withSlash(url),
      timeoutMs: metadataTimeoutMs,
      headers: () => ({}),
    }),
    store: metadataFolder(folder),
    rules,
  });
  if (verb === "refresh") return told(await refreshed(updater));
  const names = values["target-name"];
  const targetFolder = values["target-dir"];
  const baseUrl = values["target-base-url"];
  if (verb !== "download" || names === undefined) return usage;
  if (targetFolder === undefined || baseUrl === undefined) return usage;
  const files = new TargetFiles({
    http: nodeHttp,
    crypto: nodeTrustCrypto,
    baseUrl: withSlash(baseUrl),
    folder: targetFolder,
    timeoutMs: targetTimeoutMs,
  });
  return told(await download(updater, files, names));
}

/** The root has to be one; whether it is the right one is for whoever brings it. */
function initialise(folder: string, rootPath: string): Verdict<unknown> {
  const bytes = readFileSync(rootPath);
  const root = acceptTrustedRoot(bytes, rules);
  if (root.ok) metadataFolder(folder).write("root", bytes);
  return root;
}

async function refreshed(updater: TrustUpdater): Promise<Verdict<TrustedMetadata>> {
  const startUnixMs = Date.now(); // 5.1
  const root = await updater.updateRoot();
  return root.ok ? updater.refresh(root.value, startUnixMs) : root;
}

/** In the order of the arguments, to the first that fails. */
async function download(
  updater: TrustUpdater,
  files: TargetFiles,
  names: readonly string[],
): Promise<Verdict<unknown>> {
  const trusted = await refreshed(updater);
  if (!trusted.ok) return trusted;
  if (names.length === 0) return refused("target-not-found", "no --target-name");
  for (const name of names) {
    const target = await updater.find(trusted.value, name);
    if (!target.ok) return target;
    const file = await files.fetch(target.value, trusted.value.root.consistentSnapshot);
    if (!file.ok) return file;
    console.log(file.value);
  }
  return accepted(null);
}

function told(verdict: Verdict<unknown>): string | null {
  return verdict.ok ? null : `${verdict.reason}: ${verdict.detail}`;
}

function withSlash(url: string): string {
  return url.endsWith("/") ? url : `${url}/`;
}
