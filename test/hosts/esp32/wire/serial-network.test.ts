// The network of an emulated chip, with a chip of the test's own on the wire.
import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import type { ConnectionEnd, Target } from "../../../../hosts/esp32/wire/connection.ts";
import {
  etherType,
  type IpPacket,
  ip,
  parseEthernet,
  parseIp,
  parseTcp,
  protocols,
  tcpFlags,
} from "../../../../hosts/esp32/wire/packets.ts";
import {
  SerialNetwork,
  type SerialNetworkOptions,
} from "../../../../hosts/esp32/wire/serial-network.ts";
import { answerTime } from "../../../../hosts/esp32/wire/time-server.ts";
import { boardMac, WireEnd } from "../../../support/wire-end.ts";

const chipAddress = 0x0a00020f;
const hostAddress = 0x0a000202;
const nothing = new Uint8Array(0);

/** A chip's end of the wire, and the network at the other. */
class Wire extends WireEnd {
  readonly network: SerialNetwork;

  constructor(options: Partial<SerialNetworkOptions> = {}) {
    super((bytes) => this.network.take(bytes));
    this.network = new SerialNetwork({ write: (bytes) => this.take(bytes), ...options });
  }
}

async function listening(serve: (socket: Socket) => void): Promise<[Server, number]> {
  const server = createServer(serve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return [server, typeof address === "object" && address !== null ? address.port : 0];
}

test("answers who has an address, for every address", () => {
  const wire = new Wire();
  const question = new Uint8Array(28);
  question.set([0, 1, 8, 0, 6, 4, 0, 1]);
  question.set(boardMac, 8);
  question.set([10, 0, 2, 15], 14);
  question.set([10, 0, 2, 2], 24);
  wire.frame(etherType.arp, question);
  const frame = parseEthernet(wire.frames[0] ?? nothing);
  assert.deepEqual([...(frame?.payload.subarray(6, 8) ?? [])], [0, 2]);
  assert.deepEqual([...(frame?.payload.subarray(14, 18) ?? [])], [10, 0, 2, 2]);
  assert.deepEqual([...(frame?.payload.subarray(18, 24) ?? [])], [...boardMac]);
});

test("carries a connection to loopback and back, in order", async () => {
  const [server, targetPort] = await listening((socket) =>
    socket.on("data", (data) => socket.end(Buffer.concat([Buffer.from("re: "), data]))),
  );
  const wire = new Wire();
  wire.send({ targetPort, sequence: 100, flags: tcpFlags.syn });
  const accepted = await wire.next(1);
  assert.equal(accepted.flags, tcpFlags.syn | tcpFlags.ack);
  assert.equal(accepted.acknowledgement, 101);
  const first = (accepted.sequence + 1) >>> 0;
  const hello = Buffer.from("hello");
  wire.send({ targetPort, sequence: 101, acknowledgement: first, data: hello });
  assert.equal((await wire.next(2)).acknowledgement, 106);
  const answer = await wire.next(3);
  assert.equal(Buffer.from(answer.data).toString(), "re: hello");
  const end = (answer.sequence + answer.data.length) >>> 0;
  wire.send({ targetPort, sequence: 106, acknowledgement: end });
  const fin = wire.segments.find(({ flags }) => flags & tcpFlags.fin) ?? (await wire.next(4));
  assert.equal(fin.flags & tcpFlags.fin, tcpFlags.fin);
  wire.network.close();
  server.close();
});

test("sends again what the chip did not acknowledge", async () => {
  const [server, targetPort] = await listening((socket) => socket.write("once more"));
  const wire = new Wire();
  wire.send({ targetPort, sequence: 1, flags: tcpFlags.syn });
  const accepted = await wire.next(1);
  wire.send({ targetPort, sequence: 2, acknowledgement: (accepted.sequence + 1) >>> 0 });
  const lost = await wire.next(2);
  const again = await wire.next(3);
  assert.equal(again.sequence, lost.sequence);
  assert.deepEqual(again.data, lost.data);
  wire.network.close();
  server.close();
});

test("carries connections where its owner says, whatever the port, and tells how they ended", async () => {
  const [server, port] = await listening((socket) => socket.end("here"));
  const ended: [ConnectionEnd, Target][] = [];
  const target = { host: "127.0.0.1", port };
  const wire = new Wire({
    targetOf: () => target,
    ended: (...end) => ended.push(end),
  });
  const end = { targetPort: 1, sourcePort: 6000, answerBytes: 4 };
  assert.equal(await wire.ask("who", end), "here");
  const carried = { toBoardBytes: 4, toServerBytes: 3, isReached: true, failure: null };
  assert.deepEqual(ended, [[carried, target]]);
  server.close();
});

test("takes no more of the board than a server reads", async () => {
  const [server, targetPort] = await listening((socket) => {
    socket.on("error", () => {}); // of the end of the test
    socket.pause();
  });
  const wire = new Wire();
  wire.send({ targetPort, sequence: 1, flags: tcpFlags.syn });
  const accepted = await wire.next(1);
  const acknowledgement = (accepted.sequence + 1) >>> 0;
  const data = new Uint8Array(1024);
  let [sequence, taken] = [2, 0];
  // Far beyond what the system buffers for a socket on loopback.
  for (let sent = 0; sent < 32_768 && taken === sent; sent += 1) {
    wire.send({ targetPort, sequence, acknowledgement, data });
    const answer = await wire.next(2 + sent);
    taken += answer.acknowledgement === sequence + data.length ? 1 : 0;
    sequence += data.length;
  }
  assert.ok(taken < 32_768, "everything was taken");
  wire.network.close();
  server.close();
});

test("refuses a port on which nobody listens", async () => {
  const [server, targetPort] = await listening(() => {});
  await new Promise((resolve) => server.close(resolve));
  const wire = new Wire();
  wire.send({ targetPort, sequence: 1, flags: tcpFlags.syn });
  assert.equal((await wire.next(1)).flags & tcpFlags.rst, tcpFlags.rst);
});

test("passes nothing while the wire is cut", () => {
  const wire = new Wire();
  wire.network.cut();
  wire.send({ targetPort: 9, sequence: 1, flags: tcpFlags.syn });
  assert.deepEqual(wire.frames, []);
});

test("takes no packet whose checksum is wrong", () => {
  const packet: IpPacket = {
    source: chipAddress,
    target: hostAddress,
    protocol: protocols.tcp,
    payload: new Uint8Array(20),
  };
  const bytes = ip(packet);
  assert.notEqual(parseIp(bytes), null);
  bytes[12] = (bytes[12] ?? 0) ^ 1;
  assert.equal(parseIp(bytes), null);
  assert.equal(parseTcp(packet), null);
});

test("tells the time to who asks for it, and nothing to others", () => {
  const unixMs = Date.UTC(2026, 0, 2, 3, 4, 5);
  const question = new Uint8Array(48);
  question[0] = 0x23; // version 4, client
  question[47] = 9;
  const answer = answerTime(question, unixMs);
  assert.ok(answer !== null);
  const view = new DataView(answer.buffer);
  assert.equal(view.getUint32(40) - 2_208_988_800, unixMs / 1000);
  assert.equal(answer[31], 9);
  assert.equal(answerTime(question.subarray(1), unixMs), null);
  assert.equal(answerTime(new Uint8Array(48), unixMs), null);
});
