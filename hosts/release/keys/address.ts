/** Where a private key is, as the user writes it after `--signer`. */
export type SignerAddress =
  | { readonly kind: "file"; readonly path: string }
  /** A key of the keyring by its name. */
  | { readonly kind: "keyring"; readonly name: string }
  | { readonly kind: "command"; readonly command: string }
  | Pkcs11Address;

export interface Pkcs11Address {
  readonly kind: "pkcs11";
  /** The token's label. */
  readonly token: string;
  /** The key's label, its id in hex, or both. */
  readonly object: string | null;
  readonly id: string | null;
  /** The library of the token's maker. */
  readonly modulePath: string;
  /** File that holds the PIN, or null: it is asked for as passphrases are. */
  readonly pinFile: string | null;
}

export type AddressResult =
  | { readonly ok: true; readonly address: SignerAddress }
  | { readonly ok: false; readonly reason: "malformed-address"; readonly message: string };

/**
 * Reads an address: `file:PATH`, `key:NAME`, `exec:COMMAND`, or a PKCS#11 URI (RFC 7512) with
 * `token`, `object` or `id`, and `module-path`: `pkcs11:token=T;object=O?module-path=/x.so`. A text
 * without any of these schemes is a path.
 */
export function parseSignerAddress(text: string): AddressResult {
  const [, scheme, rest = ""] = /^(file|key|exec|pkcs11):(.*)$/s.exec(text) ?? [];
  if (scheme === "pkcs11") return parsePkcs11(rest);
  if (scheme === undefined && text !== "")
    return { ok: true, address: { kind: "file", path: text } };
  if (rest.trim() === "") return malformed(`"${text}" names nothing behind its scheme`);
  if (scheme === "exec") return { ok: true, address: { kind: "command", command: rest } };
  if (scheme === "key") return { ok: true, address: { kind: "keyring", name: rest } };
  return { ok: true, address: { kind: "file", path: rest } };
}

function parsePkcs11(text: string): AddressResult {
  const [path = "", query = ""] = text.split("?", 2);
  const attributes = new Map<string, string>();
  for (const part of [...path.split(";"), ...query.split("&")].filter((one) => one !== "")) {
    const [name = "", value] = part.split("=", 2);
    if (value === undefined || !known.includes(name))
      return malformed(`pkcs11: knows ${known.join(", ")}; "${part}" is none of them`);
    if (attributes.has(name)) return malformed(`pkcs11: names ${name} twice`);
    try {
      attributes.set(name, name === "id" ? idOf(value) : decodeURIComponent(value));
    } catch {
      return malformed(`pkcs11: "${part}" has a "%" that is not followed by two hex digits`);
    }
  }
  const token = attributes.get("token");
  const modulePath = attributes.get("module-path");
  const object = attributes.get("object") ?? null;
  const id = attributes.get("id") ?? null;
  if (token === undefined || modulePath === undefined || (object === null && id === null))
    return malformed(
      "a PKCS#11 address needs token, module-path and object or id, such as pkcs11:token=T;object=O?module-path=/usr/lib/softhsm/libsofthsm2.so",
    );
  const pinFile = attributes.get("pin-source")?.replace(/^file:(\/\/)?/, "") ?? null;
  return { ok: true, address: { kind: "pkcs11", token, object, id, modulePath, pinFile } };
}

const known: readonly string[] = ["token", "object", "id", "module-path", "pin-source"];

/** RFC 7512 writes the bytes of an id as `%01%02`; answers "0102". */
function idOf(value: string): string {
  if (/^[0-9a-fA-F]+$/.test(value) && value.length % 2 === 0) return value;
  if (!/^(%[0-9a-fA-F]{2})+$/.test(value)) throw new URIError("an id is written as %01%02");
  return value.replaceAll("%", "");
}

function malformed(message: string): AddressResult {
  return { ok: false, reason: "malformed-address", message };
}
