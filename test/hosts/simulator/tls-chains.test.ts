import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { checkServerIdentity, connect } from "node:tls";
import fc from "fast-check";
import { certificatePem } from "../../../hosts/release/certificates.ts";
import { secureConnection } from "../../../hosts/simulator/secure-connection.ts";
import { type ChainCase, good } from "../../support/chains/chain-case.ts";
import { orders, renewals } from "../../support/chains/orders.ts";
import { randomChain, rootFor } from "../../support/chains/random-chain.ts";
import { names, rules } from "../../support/chains/rules.ts";
import { served } from "../../support/tls.ts";

const chainCases = [...orders, ...renewals, ...rules, ...names];

/**
 * Of the random chains: a run that fails fails again. Other seeds may draw enrolled authorities
 * that vouch for each other (A by B, B by A), over which OpenSSL computes for minutes without an
 * end; ours is bounded.
 */
const seed = 20_261;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** What node says of the server: `good`, or the code of its error. */
async function nodesVerdict({ enrolled, serverName }: ChainCase, port: number): Promise<string> {
  const socket = connect({
    host: "127.0.0.1",
    port,
    // In place of `servername`, which may be no address.
    checkServerIdentity: (_, shown) => checkServerIdentity(serverName, shown),
    ca: enrolled.map(({ certificate }) => certificatePem(certificate)),
    maxVersion: "TLSv1.2",
  });
  try {
    return await new Promise((resolve) => {
      socket.once("secureConnect", () => resolve("good"));
      socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? String(error)));
      socket.once("close", () => resolve("closed")); // a server may end without a word
    });
  } finally {
    socket.destroy();
  }
}

/** The same of the firmware's judge, over what the server sends. */
async function boardsVerdict({ enrolled, serverName }: ChainCase, port: number): Promise<string> {
  const secure = {
    serverName,
    authorities: enrolled.map(({ certificate }) => hex(certificate)),
    certificates: [],
    privateKey: null,
    unixMs: Date.now(),
  };
  const connected = await secureConnection({ host: "127.0.0.1", port, secure }, secure);
  if ("kind" in connected) return "reason" in connected ? connected.reason : connected.kind;
  connected.destroy();
  return "good";
}

/** The verdicts of both, each in a handshake of its own. */
async function verdicts(
  row: ChainCase,
): Promise<{ readonly node: string; readonly board: string }> {
  const [own, ...others] = row.sent;
  const server = createServer(served(own!, ...others), (_, response) => response.end("here"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as AddressInfo;
    return { node: await nodesVerdict(row, port), board: await boardsVerdict(row, port) };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

for (const row of chainCases)
  test(`judges ${row.name}`, async () => {
    assert.deepEqual(await verdicts(row), { node: row.node, board: row.board });
  });

test("takes of random chains whatever node takes", async () => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(randomChain, async ({ own, sent, enrolled }) => {
      const row = good("", [own.identity, ...sent.map(({ identity }) => identity)], {
        enrolled: [...enrolled, rootFor(own)].map(({ identity }) => identity),
      });
      const { node, board } = await verdicts(row);
      if (node !== "good") return;
      taken += 1;
      assert.equal(board, "good");
    }),
    { numRuns: 80, seed },
  );
  assert.ok(taken > 0, "node took none");
});

test("says why, wherever one takes what the other does not", () => {
  const told = readFileSync(join(import.meta.dirname, "../../../docs/https.md"), "utf8");
  for (const { name, node, board, differs } of chainCases) {
    assert.equal(differs !== null, (node === "good") !== (board === "good"), name);
    if (differs !== null)
      assert.ok(told.includes(differs), `docs/https.md is silent on ${differs}`);
  }
});
