import {
  ethernet,
  etherType,
  ip,
  parseEthernet,
  parseIp,
  parseTcp,
  type TcpSegment,
  tcp,
  tcpFlags,
} from "../../hosts/esp32/wire/packets.ts";
import { encodeSlip, SlipDecoder } from "../../hosts/esp32/wire/slip.ts";

export const boardMac = Uint8Array.of(2, 0, 0, 0, 0, 1);
const boardAddress = 0x0a00020f;
const hostAddress = 0x0a000202;
const everybody = new Uint8Array(6).fill(0xff);

/** A board's end of its network wire: what it sends, and what came. */
export class WireEnd {
  readonly segments: TcpSegment[] = [];
  readonly frames: Uint8Array[] = [];
  readonly #put: (bytes: Uint8Array) => void;
  readonly #decoder = new SlipDecoder((frame) => this.#received(frame));
  #heard: (() => void)[] = [];

  constructor(put: (bytes: Uint8Array) => void) {
    this.#put = put;
  }

  /** What came from the line. */
  take(bytes: Uint8Array): void {
    this.#decoder.take(bytes);
  }

  send(segment: Partial<TcpSegment> & { targetPort: number }): void {
    const whole: TcpSegment = {
      sourcePort: 5000,
      sequence: 0,
      acknowledgement: 0,
      flags: tcpFlags.ack,
      window: 4096,
      data: new Uint8Array(0),
      ...segment,
    };
    const packet = tcp(whole, { source: boardAddress, target: hostAddress });
    this.frame(etherType.ipv4, ip(packet));
  }

  frame(type: number, payload: Uint8Array): void {
    this.#put(encodeSlip(ethernet({ to: everybody, from: boardMac, type, payload })));
  }

  /** The segment of that number, from 1 on, once it is there. */
  async next(count: number): Promise<TcpSegment> {
    while (this.segments.length < count)
      await new Promise<void>((resolve) => this.#heard.push(resolve));
    return this.segments[count - 1] as TcpSegment;
  }

  /** What a server on that port says to these words, up to as many bytes. */
  async ask(
    words: string,
    end: { targetPort: number; sourcePort: number; answerBytes: number },
  ): Promise<string> {
    const { targetPort, sourcePort, answerBytes } = end;
    const ports = { targetPort, sourcePort };
    let seen = this.segments.length;
    this.send({ ...ports, sequence: 100, flags: tcpFlags.syn });
    const accepted = await this.next(seen + 1);
    seen += 1;
    if ((accepted.flags & tcpFlags.rst) !== 0) return "refused";
    let next = (accepted.sequence + 1) >>> 0;
    const data = Buffer.from(words);
    this.send({ ...ports, sequence: 101, acknowledgement: next, data });
    let answer = "";
    while (answer.length < answerBytes) {
      const segment = await this.next(seen + 1);
      seen += 1;
      if (segment.sequence !== next || segment.data.length === 0) continue;
      answer += Buffer.from(segment.data).toString("latin1");
      next = (next + segment.data.length) >>> 0;
      this.send({ ...ports, sequence: 101 + data.length, acknowledgement: next });
    }
    this.send({ ...ports, sequence: 101 + data.length, flags: tcpFlags.rst });
    return answer;
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
