// The network of an emulated chip, with a chip of the test's own on the wire.
import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import {
  ethernet,
  etherType,
  type IpPacket,
  ip,
  parseEthernet,
  parseIp,
  parseTcp,
  protocols,
  type TcpSegment,
  tcp,
  tcpFlags,
} from "../../../../hosts/esp32/wire/packets.ts";
import { SerialNetwork } from "../../../../hosts/esp32/wire/serial-network.ts";
import { encodeSlip, SlipDecoder } from "../../../../hosts/esp32/wire/slip.ts";
import { answerTime } from "../../../../hosts/esp32/wire/time-server.ts";

const chipAddress = 0x0a00020f;
const hostAddress = 0x0a000202;
const chipMac = Uint8Array.of(2, 0, 0, 0, 0, 1);
const nobody = new Uint8Array(6).fill(0xff);
const nothing = new Uint8Array(0);

/** A chip's end of the wire: what it sent to it, and what came. */
class Wire {
  readonly segments: TcpSegment[] = [];
  readonly frames: Uint8Array[] = [];
  readonly network = new SerialNetwork({ write: (bytes) => this.#decoder.take(bytes) });
  readonly #decoder = new SlipDecoder((frame) => this.#received(frame));
  #heard: (() => void)[] = [];

  send(segment: Partial<TcpSegment> & { targetPort: number }): void {
    const whole: TcpSegment = {
      sourcePort: 5000,
      sequence: 0,
      acknowledgement: 0,
      flags: tcpFlags.ack,
      window: 4096,
      data: nothing,
      ...segment,
    };
    const packet = tcp(whole, { source: chipAddress, target: hostAddress });
    this.frame(etherType.ipv4, ip(packet));
  }

  frame(type: number, payload: Uint8Array): void {
    this.network.take(encodeSlip(ethernet({ to: nobody, from: chipMac, type, payload })));
  }

  /** The next segment that is not there yet. */
  async next(count: number): Promise<TcpSegment> {
    while (this.segments.length < count)
      await new Promise<void>((resolve) => this.#heard.push(resolve));
    return this.segments[count - 1] as TcpSegment;
  }

  #received(bytes: Uint8Array): void {
    this.frames.push(bytes);
    const frame = parseEthernet(bytes);
    const packet = frame?.type === etherType.ipv4 ? parseIp(frame.payload) : null;
    const segment = packet === null ? null : parseTcp(packet);
    if (segment !== null) this.segments.push({ ...segment, data: segment.data.slice() });
    const heard = this.#heard;
    this.#heard = [];
    for (const call of heard) call();
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
  question.set(chipMac, 8);
  question.set([10, 0, 2, 15], 14);
  question.set([10, 0, 2, 2], 24);
  wire.frame(etherType.arp, question);
  const frame = parseEthernet(wire.frames[0] ?? nothing);
  assert.deepEqual([...(frame?.payload.subarray(6, 8) ?? [])], [0, 2]);
  assert.deepEqual([...(frame?.payload.subarray(14, 18) ?? [])], [10, 0, 2, 2]);
  assert.deepEqual([...(frame?.payload.subarray(18, 24) ?? [])], [...chipMac]);
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
