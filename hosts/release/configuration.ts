import { configurationBytesMax } from "../../src/config/configuration.ts";
import {
  type ConfigurationDocument,
  type DocumentRefusal,
  parseConfigurationDocument,
} from "../../src/config/configuration-document.ts";
import {
  configurationDigest,
  documentOf,
  type EnvelopeRefusal,
  encodeConfigurationEnvelope,
  envelopeOverheadBytes,
  openConfigurationEnvelope,
} from "../../src/config/configuration-envelope.ts";
import { windowsOf, windowsValue } from "../../src/config/windows.ts";
import { signatureFromDer } from "../../src/image/signature.ts";
import type { ImageSigner } from "../../src/image/writer.ts";
import { encodeWindows, type WindowsRefusal } from "../../src/policy/windows.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../src/protocol/json.ts";
import { nodeCrypto } from "./node-crypto.ts";

export type ConfigurationRefusal =
  | "not-an-object"
  | "windows-invalid"
  | DocumentRefusal
  | "too-large"
  | "signature-invalid";

type Refused = {
  readonly ok: false;
  readonly reason: ConfigurationRefusal;
  /** With the values, the limit and the next step. */
  readonly message: string;
};

export interface ConfigurationChanges {
  readonly version?: number;
  readonly schema?: number;
  /** The windows document of docs/windows.md. */
  readonly windows?: JsonValue;
  /** POSIX rules; instead of those in the windows. */
  readonly timeZone?: string;
}

/**
 * The bytes of a configuration document, checked as a device will check them; JSON without white
 * space.
 */
export function makeConfiguration(
  source: JsonValue,
  changes: ConfigurationChanges,
): { readonly ok: true; readonly document: Uint8Array } | Refused {
  if (!isJsonObject(source)) return refuse("not-an-object", "it is no JSON object");
  const { version = source["version"], schema = source["schema"] } = changes;
  const values = source["values"] ?? {};
  if (!isJsonObject(values)) return refuse("malformed-document", `its "values" are no object`);
  const windowed = withWindows(values, changes);
  if (!windowed.ok) return windowed;
  const json = { ...source, version, schema, values: windowed.values };
  const document = new TextEncoder().encode(JSON.stringify(json));
  const problem = documentProblem(document);
  return problem ?? { ok: true, document };
}

/** Signs the bytes of a document that `makeConfiguration` made. */
export async function sealConfiguration(
  document: Uint8Array,
  signer: ImageSigner,
): Promise<{ readonly ok: true; readonly envelope: Uint8Array } | Refused> {
  const digest = configurationDigest(document, nodeCrypto);
  const signature = signatureFromDer(await signer.sign(digest));
  if (!signature.ok || !nodeCrypto.verifyP256(signer.publicKey, digest, signature.raw))
    return refuse("signature-invalid", "the signer's answer is no signature by its own public key");
  return { ok: true, envelope: encodeConfigurationEnvelope(document, signature.raw) };
}

export type OpenedConfiguration =
  | {
      readonly ok: true;
      readonly document: ConfigurationDocument;
      /** False when no keys were given to verify with. */
      readonly verified: boolean;
    }
  | {
      readonly ok: false;
      readonly reason: EnvelopeRefusal | DocumentRefusal | "windows-invalid";
      readonly message: string;
    };

/** Reads an envelope as a device does; without keys its signature is not verified. */
export function openConfiguration(
  envelope: Uint8Array,
  keys: readonly Uint8Array[],
): OpenedConfiguration {
  const verified = keys.length > 0;
  if (verified) {
    const trust = { crypto: nodeCrypto, keys, bytesMax: configurationBytesMax };
    const opened = openConfigurationEnvelope(envelope, trust);
    if (!opened.ok) return { ...opened, message: envelopeMessages[opened.reason](envelope.length) };
  } else if (envelope.length > configurationBytesMax) {
    const message = envelopeMessages["too-large"](envelope.length);
    return { ok: false, reason: "too-large", message };
  }
  const bytes = documentOf(envelope);
  if (bytes === null) {
    const message = envelopeMessages["malformed-envelope"](envelope.length);
    return { ok: false, reason: "malformed-envelope", message };
  }
  const parsed = parseConfigurationDocument(bytes, configurationBytesMax);
  if (!parsed.ok) return { ...parsed, message: documentMessages[parsed.reason] };
  const windows = windowsOf(parsed.value.values);
  if (windows.ok) return { ok: true, document: parsed.value, verified };
  const message = windowsMessage(windows.reason, windows.at);
  return { ok: false, reason: "windows-invalid", message };
}

const envelopeMessages: Readonly<Record<EnvelopeRefusal, (bytes: number) => string>> = {
  "too-large": (bytes) => `it has ${bytes} bytes, a device takes at most ${configurationBytesMax}`,
  "malformed-envelope": (bytes) =>
    `its ${bytes} bytes are no signed configuration; make one with \`sluice config sign\``,
  "signature-invalid": () => "it is not signed by any of the keys, or was changed since",
};

const documentMessages: Readonly<Record<DocumentRefusal, string>> = {
  "malformed-document":
    'it needs a "version" from 1, a "schema" from 0 to 65535, and objects for "values" and "flags"',
  "limit-exceeded":
    "it has more than 128 values, 512 members in all, 64 flags, 8 levels or 64 characters in a name",
};

function withWindows(
  values: JsonObject,
  { windows, timeZone }: ConfigurationChanges,
): { readonly ok: true; readonly values: JsonObject } | Refused {
  const before = windows ?? values[windowsValue];
  if (before === undefined)
    return timeZone === undefined
      ? { ok: true, values }
      : refuse("windows-invalid", "there are no windows that the time zone could be for");
  const document =
    timeZone !== undefined && isJsonObject(before) ? { ...before, timeZone } : before;
  const decoded = windowsOf({ [windowsValue]: document });
  if (!decoded.ok) return refuse("windows-invalid", windowsMessage(decoded.reason, decoded.at));
  const encoded = encodeWindows(decoded.windows);
  return { ok: true, values: { ...values, [windowsValue]: encoded } };
}

function windowsMessage(reason: WindowsRefusal, at: string): string {
  return `its ${at} is ${reason}; docs/windows.md tells the form`;
}

function documentProblem(document: Uint8Array): Refused | null {
  const bytes = document.length + envelopeOverheadBytes;
  if (bytes > configurationBytesMax)
    return refuse("too-large", envelopeMessages["too-large"](bytes));
  const parsed = parseConfigurationDocument(document, configurationBytesMax);
  return parsed.ok ? null : refuse(parsed.reason, documentMessages[parsed.reason]);
}

function refuse(reason: ConfigurationRefusal, message: string): Refused {
  return { ok: false, reason, message };
}
