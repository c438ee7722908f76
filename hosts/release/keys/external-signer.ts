import type { Pkcs11Address } from "./address.ts";
import { Programs } from "./program.ts";
import type { ProgramEnd } from "./running-programs.ts";
import { checkedSignature, pointOfSpki, type Signer, SignerError, tufKeyId } from "./signer.ts";

/**
 * A signer behind any command, for cloud key services: the 32 bytes of the digest on its standard
 * input (and in hex in SLUICE_DIGEST), the signature on its standard output. Every answer is
 * checked against the public key before it is used.
 */
export function commandSigner(command: string, publicKey: Uint8Array): Signer {
  const label = `the command "${command}"`;
  const keyId = tufKeyId(publicKey);
  const programs = new Programs();
  return {
    publicKey,
    keyId,
    label,
    end: () => programs.end(),
    async sign(digest) {
      const environment = {
        SLUICE_DIGEST: Buffer.from(digest).toString("hex"),
        SLUICE_KEY_ID: keyId,
      };
      const ran = await programs.run("/bin/sh", ["-c", command], digest, environment);
      return checkedSignature(answerOf(ran, label), digest, { publicKey, label });
    },
  };
}

/**
 * A key in a PKCS#11 token, reached by OpenSC's `pkcs11-tool`. The PIN goes to it in its
 * environment, never on its command line. `pkcs11-tool` takes another key when it finds none of the
 * given label: the check against the public key catches that.
 */
export function pkcs11Signer(address: Pkcs11Address, publicKey: Uint8Array, pin: string): Signer {
  const label = `the key "${address.object ?? address.id}" in the token "${address.token}"`;
  const programs = new Programs();
  return {
    publicKey,
    keyId: tufKeyId(publicKey),
    label,
    end: () => programs.end(),
    async sign(digest) {
      const wanted = ["--login", "--pin", `env:${pinVariable}`, "--sign", "--mechanism", "ECDSA"];
      const argv = [...tokenArguments(address), ...wanted, "--signature-format", "openssl"];
      const ran = await programs.run(toolCommand(), argv, digest, { [pinVariable]: pin });
      return checkedSignature(answerOf(ran, label), digest, { publicKey, label });
    },
  };
}

/** Asks the token for the public half; tokens show it without a PIN. */
export async function pkcs11PublicKey(address: Pkcs11Address): Promise<Uint8Array> {
  const label = `the token "${address.token}"`;
  const argv = [...tokenArguments(address), "--read-object", "--type", "pubkey"];
  const ran = await new Programs().run(toolCommand(), argv, new Uint8Array(0), {});
  const point = pointOfSpki(answerOf(ran, label));
  if (point !== null) return point;
  throw new SignerError(
    "refused",
    `${label} has no P-256 public key of that label; check the address`,
  );
}

const pinVariable = "SLUICE_PKCS11_PIN";

function toolCommand(): string {
  return process.env["SLUICE_PKCS11_TOOL"] ?? "pkcs11-tool";
}

function tokenArguments(address: Pkcs11Address): string[] {
  return [
    ...["--module", address.modulePath, "--token-label", address.token],
    ...(address.object === null ? [] : ["--label", address.object]),
    ...(address.id === null ? [] : ["--id", address.id]),
  ];
}

function answerOf(ran: ProgramEnd, label: string): Buffer {
  switch (ran.kind) {
    case "not-started": {
      const isMissing = ran.code === "ENOENT";
      const why = isMissing
        ? 'the program is not installed (pkcs11-tool is in the package "opensc")'
        : ran.code;
      throw new SignerError("unavailable", `${label} cannot be asked: ${why}`);
    }
    case "too-late":
      throw new SignerError(
        "unavailable",
        `${label} did not answer within ${ran.waitedMs / 1000} s; ask it by hand`,
      );
    case "too-long":
      throw new SignerError("refused", `${label} answered more than ${ran.bytesMax} bytes`);
    case "ended":
      if (ran.status === 0) return ran.output;
      throw new SignerError("refused", `${label} ${endText(ran)}`);
    default:
      return ran satisfies never;
  }
}

function endText({ status, signal, errors }: Extract<ProgramEnd, { kind: "ended" }>): string {
  const said = errors.toString().trim().split("\n")[0] ?? "";
  const end = status === null ? `was ended by ${signal}` : `ended with ${status}`;
  return `${end}: ${said.slice(0, 300) || "it says nothing"}`;
}
