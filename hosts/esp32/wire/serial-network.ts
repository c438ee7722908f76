import { Connection, type ConnectionEnd, type Target } from "./connection.ts";
import {
  answerArp,
  ethernet,
  etherType,
  type IpPacket,
  ip,
  parseEthernet,
  parseIp,
  parseTcp,
  parseUdp,
  protocols,
  tcp,
  tcpFlags,
  udp,
} from "./packets.ts";
import { encodeSlip, SlipDecoder } from "./slip.ts";
import { answerTime, timePort } from "./time-server.ts";

/**
 * The host's address that boards with a serial network are configured for
 * (boards/*_serial/manifest.json).
 */
export const hostAddress = "10.0.2.2";
const hostMac = Uint8Array.of(0x02, 0, 0x5e, 0, 0x53, 2);
const connectionsMax = 32;

export interface SerialNetworkOptions {
  /** Puts bytes on the board's second serial line. */
  write(bytes: Uint8Array): void;
  /** What time servers tell; this machine's clock when left out. */
  unixMs?(): number;
  /**
   * Where connections to a port lead; to the same port of this machine's loopback when left out.
   */
  targetOf?(port: number): Target;
  /** A frame that is whole came from the board. */
  heard?(): void;
  /** A connection of the board's is over. */
  ended?(end: ConnectionEnd, target: Target): void;
}

/**
 * The other end of a board's network wire: Ethernet over SLIP. It answers for every address,
 * carries each TCP connection of the board on to where its owner says and nowhere else, and tells
 * the time. Nothing needs rights, and no network of the system is touched. A link can be cut and
 * mended.
 */
export class SerialNetwork {
  readonly #options: SerialNetworkOptions;
  readonly #decoder = new SlipDecoder((frame) => this.#frame(frame));
  readonly #connections = new Map<string, Connection>();
  #isCut = false;

  constructor(options: SerialNetworkOptions) {
    this.#options = options;
  }

  /** What came from the line. */
  take(bytes: Uint8Array): void {
    this.#decoder.take(bytes);
  }

  /** Nothing passes any more, in either direction; connections break. */
  cut(): void {
    this.#isCut = true;
    this.close();
  }

  mend(): void {
    this.#isCut = false;
  }

  close(): void {
    for (const connection of [...this.#connections.values()]) connection.close();
  }

  #frame(bytes: Uint8Array): void {
    const frame = this.#isCut ? null : parseEthernet(bytes);
    if (frame === null) return;
    if (frame.type === etherType.arp) {
      const answer = answerArp(frame.payload, hostMac);
      if (answer === null) return;
      this.#options.heard?.();
      this.#send(frame.from, etherType.arp, answer);
    } else if (frame.type === etherType.ipv4) {
      const packet = parseIp(frame.payload);
      if (packet !== null) this.#options.heard?.();
      if (packet?.protocol === protocols.tcp) this.#tcp(packet, frame.from);
      if (packet?.protocol === protocols.udp) this.#udp(packet, frame.from);
    }
  }

  /** The only datagrams that are answered ask for the time. */
  #udp(packet: IpPacket, chipMac: Uint8Array): void {
    const asked = parseUdp(packet);
    const data = asked?.targetPort === timePort ? answerTime(asked.data, this.#unixMs()) : null;
    if (asked === null || data === null) return;
    const ports = { sourcePort: asked.targetPort, targetPort: asked.sourcePort };
    const ends = { source: packet.target, target: packet.source };
    this.#send(chipMac.slice(), etherType.ipv4, ip(udp({ ...ports, data }, ends)));
  }

  #unixMs(): number {
    return (this.#options.unixMs ?? Date.now)();
  }

  #tcp(packet: IpPacket, chipMac: Uint8Array): void {
    const segment = parseTcp(packet);
    if (segment === null) return;
    const key = `${packet.target}:${segment.targetPort}:${segment.sourcePort}`;
    const isSyn = (segment.flags & tcpFlags.syn) !== 0;
    const old = this.#connections.get(key);
    // A chip that was reset may take the port of a connection that it forgot.
    if (isSyn && old !== undefined && old.chipSequence !== segment.sequence) old.close();
    const isNew = isSyn && !this.#connections.has(key);
    const ends = { source: packet.target, target: packet.source };
    const ports = { sourcePort: segment.targetPort, targetPort: segment.sourcePort };
    const mac = chipMac.slice();
    const reply = (answer: Parameters<typeof tcp>[0]) => {
      if (!this.#isCut) this.#send(mac, etherType.ipv4, ip(tcp(answer, ends)));
    };
    if (isNew && this.#connections.size < connectionsMax) {
      const target = this.#targetOf(segment.targetPort);
      const connection = new Connection({
        target,
        chipSequence: segment.sequence,
        send: (answer) => reply({ ...answer, ...ports }),
        ended: (end) => {
          this.#connections.delete(key);
          this.#options.ended?.(end, target);
        },
      });
      this.#connections.set(key, connection);
      return;
    }
    const known = this.#connections.get(key);
    if (known !== undefined) known.take(segment);
    else if ((segment.flags & tcpFlags.rst) === 0) {
      const flags = tcpFlags.rst | tcpFlags.ack;
      const { acknowledgement, sequence, data } = segment;
      const rest = { window: 0, data: new Uint8Array(0) };
      const next = (sequence + data.length + 1) >>> 0;
      reply({ ...ports, ...rest, flags, sequence: acknowledgement, acknowledgement: next });
    }
  }

  #targetOf(port: number): Target {
    return this.#options.targetOf?.(port) ?? { host: "127.0.0.1", port };
  }

  #send(to: Uint8Array, type: number, payload: Uint8Array): void {
    this.#options.write(encodeSlip(ethernet({ to, from: hostMac, type, payload })));
  }
}
