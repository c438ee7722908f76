// A time server of one answer (RFC 4330): boards have no clock of their own.

export const timePort = 123;
const packetBytes = 48;
/** From 1900 to 1970. */
const epochSeconds = 2_208_988_800;

/** The answer to a client's question; null for anything else. */
export function answerTime(question: Uint8Array, unixMs: number): Uint8Array | null {
  const client = 3;
  const server = 4;
  const first = question[0] ?? 0;
  if (question.length < packetBytes || (first & 7) !== client) return null;
  const answer = new Uint8Array(packetBytes);
  const view = new DataView(answer.buffer);
  answer[0] = (first & 0x38) | server;
  answer[1] = 1; // stratum
  answer[2] = question[2] ?? 0;
  const seconds = Math.floor(unixMs / 1000) + epochSeconds;
  const fraction = Math.floor(((unixMs % 1000) / 1000) * 2 ** 32);
  for (const at of [16, 32, 40]) {
    view.setUint32(at, seconds % 2 ** 32);
    view.setUint32(at + 4, fraction);
  }
  answer.set(question.subarray(40, 48), 24); // the client's own time
  return answer;
}
