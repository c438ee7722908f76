// The few headers of RFC 826, 791, 768 and 9293 that a board behind a wire needs.

export const etherType = { ipv4: 0x0800, arp: 0x0806 } as const;
export const protocols = { tcp: 6, udp: 17 } as const;
export const tcpFlags = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;

const ethernetHeaderBytes = 14;
const ipHeaderBytes = 20;
const tcpHeaderBytes = 20;
const arpBytes = 28;

export interface EthernetFrame {
  readonly to: Uint8Array;
  readonly from: Uint8Array;
  readonly type: number;
  readonly payload: Uint8Array;
}

export interface IpPacket {
  /** IPv4 addresses as numbers. */
  readonly source: number;
  readonly target: number;
  readonly protocol: number;
  readonly payload: Uint8Array;
}

export interface TcpSegment {
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  readonly window: number;
  readonly data: Uint8Array;
  /** Only sent, with a SYN. */
  readonly segmentBytesMax?: number;
}

export function parseEthernet(bytes: Uint8Array): EthernetFrame | null {
  if (bytes.length < ethernetHeaderBytes) return null;
  const type = viewOf(bytes).getUint16(12);
  return {
    to: bytes.subarray(0, 6),
    from: bytes.subarray(6, 12),
    type,
    payload: bytes.subarray(ethernetHeaderBytes),
  };
}

export function ethernet({ to, from, type, payload }: EthernetFrame): Uint8Array {
  const bytes = new Uint8Array(ethernetHeaderBytes + payload.length);
  bytes.set(to);
  bytes.set(from, 6);
  viewOf(bytes).setUint16(12, type);
  bytes.set(payload, ethernetHeaderBytes);
  return bytes;
}

/**
 * The answer to "who has this address", given by whoever answers for all of them; null when it was
 * no question.
 */
export function answerArp(question: Uint8Array, mac: Uint8Array): Uint8Array | null {
  if (question.length < arpBytes || viewOf(question).getUint16(6) !== 1) return null;
  const answer = question.slice(0, arpBytes);
  viewOf(answer).setUint16(6, 2);
  answer.set(mac, 8);
  answer.set(question.subarray(24, 28), 14); // the address that was asked for
  answer.set(question.subarray(8, 18), 18); // to whom asked
  return answer;
}

export function parseIp(bytes: Uint8Array): IpPacket | null {
  if (bytes.length < ipHeaderBytes || bytes[0] !== 0x45) return null;
  const view = viewOf(bytes);
  const length = view.getUint16(2);
  if (length < ipHeaderBytes || length > bytes.length) return null;
  if (sum(bytes.subarray(0, ipHeaderBytes)) !== 0xffff) return null;
  return {
    protocol: bytes[9] ?? 0,
    source: view.getUint32(12),
    target: view.getUint32(16),
    payload: bytes.subarray(ipHeaderBytes, length),
  };
}

export function ip(packet: IpPacket): Uint8Array {
  const bytes = new Uint8Array(ipHeaderBytes + packet.payload.length);
  const view = viewOf(bytes);
  bytes.set([0x45, 0]);
  view.setUint16(2, bytes.length);
  bytes[8] = 64; // time to live
  bytes[9] = packet.protocol;
  view.setUint32(12, packet.source);
  view.setUint32(16, packet.target);
  view.setUint16(10, ~sum(bytes.subarray(0, ipHeaderBytes)) & 0xffff);
  bytes.set(packet.payload, ipHeaderBytes);
  return bytes;
}

/** Null when the checksum is wrong: the sender repeats it. */
export function parseTcp(packet: IpPacket): TcpSegment | null {
  const { payload } = packet;
  if (payload.length < tcpHeaderBytes) return null;
  const view = viewOf(payload);
  const dataAt = (view.getUint8(12) >> 4) * 4;
  if (dataAt < tcpHeaderBytes || dataAt > payload.length) return null;
  if (sum(payload, pseudoHeaderSum(packet, payload.length)) !== 0xffff) return null;
  return {
    sourcePort: view.getUint16(0),
    targetPort: view.getUint16(2),
    sequence: view.getUint32(4),
    acknowledgement: view.getUint32(8),
    flags: view.getUint8(13),
    window: view.getUint16(14),
    data: payload.subarray(dataAt),
  };
}

export function tcp(segment: TcpSegment, ends: { source: number; target: number }): IpPacket {
  const optionBytes = segment.segmentBytesMax === undefined ? 0 : 4;
  const payload = new Uint8Array(tcpHeaderBytes + optionBytes + segment.data.length);
  const view = viewOf(payload);
  view.setUint16(0, segment.sourcePort);
  view.setUint16(2, segment.targetPort);
  view.setUint32(4, segment.sequence);
  view.setUint32(8, segment.acknowledgement);
  view.setUint8(12, ((tcpHeaderBytes + optionBytes) / 4) << 4);
  view.setUint8(13, segment.flags);
  view.setUint16(14, segment.window);
  if (segment.segmentBytesMax !== undefined) {
    view.setUint16(20, 0x0204);
    view.setUint16(22, segment.segmentBytesMax);
  }
  payload.set(segment.data, tcpHeaderBytes + optionBytes);
  const packet = { ...ends, protocol: protocols.tcp, payload };
  view.setUint16(16, ~sum(payload, pseudoHeaderSum(packet, payload.length)) & 0xffff);
  return packet;
}

export interface UdpDatagram {
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly data: Uint8Array;
}

const udpHeaderBytes = 8;

/** Null when it is cut short; its checksum is not looked at, what it carries has to bear that. */
export function parseUdp({ payload }: IpPacket): UdpDatagram | null {
  if (payload.length < udpHeaderBytes) return null;
  const view = viewOf(payload);
  const length = view.getUint16(4);
  if (length < udpHeaderBytes || length > payload.length) return null;
  return {
    sourcePort: view.getUint16(0),
    targetPort: view.getUint16(2),
    data: payload.subarray(udpHeaderBytes, length),
  };
}

export function udp(datagram: UdpDatagram, ends: { source: number; target: number }): IpPacket {
  const payload = new Uint8Array(udpHeaderBytes + datagram.data.length);
  const view = viewOf(payload);
  view.setUint16(0, datagram.sourcePort);
  view.setUint16(2, datagram.targetPort);
  view.setUint16(4, payload.length);
  payload.set(datagram.data, udpHeaderBytes);
  const packet = { ...ends, protocol: protocols.udp, payload };
  view.setUint16(6, ~sum(payload, pseudoHeaderSum(packet, payload.length)) & 0xffff);
  return packet;
}

/** Sum in one's complement, 16 bits. */
function sum(bytes: Uint8Array, start = 0): number {
  let total = start;
  for (let at = 0; at < bytes.length; at += 2)
    total += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}

function pseudoHeaderSum(packet: IpPacket, length: number): number {
  const { source, target } = packet;
  return (
    (source >>> 16) +
    (source & 0xffff) +
    (target >>> 16) +
    (target & 0xffff) +
    packet.protocol +
    length
  );
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
