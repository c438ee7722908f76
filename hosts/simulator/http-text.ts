import { ResponseReader } from "../../src/protocol/http-response.ts";
import type { HttpCall } from "./board/host-calls.ts";
import type { NetworkAnswer } from "./network.ts";

type Response = Extract<NetworkAnswer, { kind: "response" }>;

/** A request as it goes over a connection. */
export function requestText(call: HttpCall): string {
  const headers = { host: call.host, connection: "close", ...call.headers };
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${call.method} ${call.path} HTTP/1.1\r\n${fields.join("")}\r\n`;
}

/** An answer as it comes over a connection, as far as that lasts. */
export function answerBytes(method: string, answer: Response): Uint8Array {
  const { status, headers, body, brokenAfterBytes } = answer;
  const isFramed = "content-length" in headers || "transfer-encoding" in headers;
  const length = isFramed ? "" : `content-length: ${body.length}\r\n`;
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = new TextEncoder().encode(`HTTP/1.1 ${status} \r\n${fields.join("")}${length}\r\n`);
  const sent = method === "HEAD" ? body.subarray(0, 0) : body;
  return Buffer.concat([head, sent.subarray(0, brokenAfterBytes ?? sent.length)]);
}

/**
 * An answer that came as bytes, for those who change or look at answers; others stay as they are.
 */
export function readAnswer(method: string, answer: NetworkAnswer): NetworkAnswer {
  if (answer.kind !== "raw") return answer;
  let status = 0;
  let headers: Record<string, string> = {};
  const parts: Uint8Array[] = [];
  const reader = new ResponseReader(method, {
    head(head) {
      status = head.status;
      headers = Object.fromEntries(head.headers);
      return true;
    },
    body(bytes) {
      parts.push(bytes.slice());
      return true;
    },
  });
  for (const segment of answer.segments) reader.take(segment);
  const end = answer.closes ? reader.closed() : reader.take(new Uint8Array(0));
  if (status === 0) return { kind: "unreachable" };
  const body = Buffer.concat(parts);
  // The body is no longer in chunks.
  const { "transfer-encoding": _, ...framed } = headers;
  return {
    kind: "response",
    status,
    headers: framed,
    body,
    brokenAfterBytes: end === "done" ? null : body.length,
  };
}
