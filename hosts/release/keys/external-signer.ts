import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import type { Pkcs11Address } from "./address.ts";
import { checkedSignature, pointOfSpki, type Signer, SignerError, tufKeyId } from "./signer.ts";

/** A person may have to touch a token or approve in a console. */
const answerMsMax = 120_000;
const answerBytesMax = 64 * 1024;

/**
 * A signer behind any command, for cloud key services: the 32 bytes of the digest on its standard
 * input (and in hex in SLUICE_DIGEST), the signature on its standard output. Every answer is
 * checked against the public key before it is used.
 */
export function commandSigner(command: string, publicKey: Uint8Array): Signer {
  const label = `the command "${command}"`;
  const keyId = tufKeyId(publicKey);
  return {
    publicKey,
    keyId,
    label,
    async sign(digest) {
      const environment = {
        SLUICE_DIGEST: Buffer.from(digest).toString("hex"),
        SLUICE_KEY_ID: keyId,
      };
      const ran = run("/bin/sh", ["-c", command], digest, environment);
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
  return {
    publicKey,
    keyId: tufKeyId(publicKey),
    label,
    async sign(digest) {
      const wanted = ["--login", "--pin", `env:${pinVariable}`, "--sign", "--mechanism", "ECDSA"];
      const argv = [...tokenArguments(address), ...wanted, "--signature-format", "openssl"];
      const ran = run(toolCommand(), argv, digest, { [pinVariable]: pin });
      return checkedSignature(answerOf(ran, label), digest, { publicKey, label });
    },
  };
}

/** Asks the token for the public half; tokens show it without a PIN. */
export function pkcs11PublicKey(address: Pkcs11Address): Uint8Array {
  const label = `the token "${address.token}"`;
  const argv = [...tokenArguments(address), "--read-object", "--type", "pubkey"];
  const point = pointOfSpki(answerOf(run(toolCommand(), argv, new Uint8Array(0), {}), label));
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

function run(
  command: string,
  argv: readonly string[],
  input: Uint8Array,
  environment: Readonly<Record<string, string>>,
): SpawnSyncReturns<Buffer> {
  return spawnSync(command, argv, {
    input,
    env: { ...process.env, ...environment },
    timeout: answerMsMax,
    maxBuffer: answerBytesMax,
    stdio: ["pipe", "pipe", "pipe"],
  });
}

function answerOf(ran: SpawnSyncReturns<Buffer>, label: string): Buffer {
  const code = (ran.error as NodeJS.ErrnoException | undefined)?.code;
  // EPIPE: it ended without reading the digest; its exit code says more.
  if (ran.error !== undefined && code !== "EPIPE") {
    const why =
      code === "ENOENT"
        ? 'the program is not installed (pkcs11-tool is in the package "opensc")'
        : (code ?? ran.error.message);
    throw new SignerError("unavailable", `${label} cannot be asked: ${why}`);
  }
  if (ran.status === 0) return ran.stdout;
  const said = ran.stderr.toString().trim().split("\n")[0] ?? "";
  const end = ran.status === null ? `was ended by ${ran.signal}` : `ended with ${ran.status}`;
  throw new SignerError("refused", `${label} ${end}: ${said.slice(0, 300) || "it says nothing"}`);
}
