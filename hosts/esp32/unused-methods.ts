/**
 * Methods of the SDK's TLS that no client comes to which takes one suite of TLS 1.2: those of
 * servers, of other suites and of tracing, and what `SecureSession` does itself. By module and
 * object.
 */
const unusedMethods: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  "ssl/alert": {},
  "ssl/changecipher": {},
  "ssl/handshake": {
    "random: {": ["parse"],
    "clientHello: {": ["unpacketize"],
    "serverHello: {": ["packetize"],
    "serverKeyExchange: {": ["packetize"],
    "certificateRequest: {": ["packetize"],
    "serverHelloDone: {": ["packetize"],
    "clientKeyExchange: {": ["unpacketize"],
    "certificateVerify: {": ["calculateDigest", "packetize", "unpacketize"],
  },
  "ssl/record": { "tlsCipherText: {": ["calculateMac"] },
  "ssl/session": {
    "class SSLSession {": ["readPacket", "startTrace", "stopTrace", "traceProtocol"],
  },
};

export const modulesWithUnusedMethods: readonly string[] = Object.keys(unusedMethods);

/** Calls that only trace, and the names that they say. */
const traces =
  /^\t+(?:session\.traceProtocol\(this\);|this\.(?:startTrace\("\w+"\)|stopTrace\(\));|name: "\w+",)\n/gm;

/**
 * Without what is never called. What another version of the SDK writes otherwise stays: the image
 * is larger then, and no less right. Whoever calls one of them gets a TypeError, which ends the
 * handshake.
 */
export function withoutUnusedMethods(module: string, text: string): string {
  let lines = text.replace(traces, "").split("\n");
  for (const [owner, methods] of Object.entries(unusedMethods[module] ?? {}))
    for (const method of methods) lines = withoutMethod(lines, owner, method);
  return lines.join("\n");
}

function withoutMethod(lines: string[], owner: string, method: string): string[] {
  const outer = blockFrom(lines, owner, { first: 0, end: lines.length });
  const inner = outer && blockFrom(lines, `${method}(`, { ...outer, first: outer.first + 1 });
  return inner ? lines.toSpliced(inner.first, inner.end - inner.first) : lines;
}

interface Block {
  readonly first: number;
  readonly end: number;
}

/** From a line that begins like this and opens a block, to the line as far in that closes it. */
function blockFrom(lines: readonly string[], start: string, within: Block): Block | null {
  for (let first = within.first; first < within.end; first += 1) {
    const line = lines[first] ?? "";
    const indent = line.slice(0, line.length - line.trimStart().length);
    if (!line.startsWith(start, indent.length) || !line.endsWith("{")) continue;
    const length = lines.slice(first, within.end).findIndex((one) => one.startsWith(`${indent}}`));
    return length < 0 ? null : { first, end: first + length + 1 };
  }
  return null;
}
