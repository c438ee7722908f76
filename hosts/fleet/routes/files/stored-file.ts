import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { DigestHex } from "../../../../src/protocol/digest.ts";
import type { ArtifactFolder } from "../../storage/artifacts.ts";
import { answerEmpty } from "../requests/answers.ts";
import { type ByteRange, parseRange } from "./ranges.ts";

const boundary = "sluice-part-boundary";
const octets = "application/octet-stream";

/** A file of the artifact folder as one request sees it. */
export interface StoredFile {
  readonly sha256: DigestHex;
  readonly bytes: number;
  /** Without quotes. */
  readonly etag: string;
  readonly fileName: string;
}

/** Where files are read. */
export interface Files extends Pick<ArtifactFolder, "mustHave"> {
  read(sha256: DigestHex, range: ByteRange): Readable;
}

/** Answers with the file, with ranges, and conditions of RFC 9110 13 that resuming needs. */
export async function answerStoredFile(
  request: FastifyRequest,
  reply: FastifyReply,
  artifacts: Files,
  file: StoredFile,
): Promise<FastifyReply> {
  await artifacts.mustHave(file.sha256, file.bytes);
  const { headers } = request;
  const etag = `"${file.etag}"`;
  if (headers["if-match"] !== undefined && !matches(headers["if-match"], etag))
    return answerEmpty(reply, 412);
  reply
    .header("etag", etag)
    .header("accept-ranges", "bytes")
    .header("content-disposition", `attachment;filename=${file.fileName}`);
  // If-Range takes an ETag only; a date, which is too coarse to resume by, gets the whole file as
  // hawkBit gives it.
  const isStale = headers["if-range"] !== undefined && headers["if-range"] !== etag;
  const wanted = parseRange(isStale ? undefined : headers.range, file.bytes);
  const read = (range: ByteRange): Readable | null =>
    request.method === "HEAD" ? null : artifacts.read(file.sha256, range);
  if (wanted.kind === "unsatisfiable") {
    reply.header("content-range", `bytes */${file.bytes}`).type(octets);
    return answerEmpty(reply, 416);
  }
  if (wanted.kind === "whole" && file.bytes === 0) return answerEmpty(reply.type(octets), 200);
  if (wanted.kind === "whole") {
    reply.type(octets).header("content-length", file.bytes);
    return reply.send(read({ first: 0, last: file.bytes - 1 }));
  }
  if (wanted.ranges.length > 1) return answerParts(request, reply, file, wanted.ranges, read);
  const [range] = wanted.ranges;
  reply
    .code(206)
    .type(octets)
    .header("content-range", contentRange(range, file))
    .header("content-length", range.last - range.first + 1);
  return reply.send(read(range));
}

/** `multipart/byteranges` (RFC 9110, 14.6), with a length: some clients take no chunks. */
function answerParts(
  request: FastifyRequest,
  reply: FastifyReply,
  file: StoredFile,
  ranges: readonly ByteRange[],
  read: (range: ByteRange) => Readable | null,
): FastifyReply {
  const heads = ranges.map((range, index) =>
    Buffer.from(
      `${index === 0 ? "" : "\r\n"}--${boundary}\r\nContent-Type: ${octets}\r\n` +
        `Content-Range: ${contentRange(range, file)}\r\n\r\n`,
    ),
  );
  const tail = Buffer.from(`\r\n--${boundary}--`);
  const bodyBytes = ranges.reduce((sum, range) => sum + range.last - range.first + 1, 0);
  const headBytes = heads.reduce((sum, head) => sum + head.length, 0);
  reply
    .code(206)
    .type(`multipart/byteranges; boundary=${boundary}`)
    .header("content-length", headBytes + bodyBytes + tail.length);
  if (request.method === "HEAD") return reply.send(null);
  const parts = async function* (): AsyncGenerator<Buffer> {
    for (const [index, range] of ranges.entries()) {
      yield heads[index] ?? tail;
      for await (const bytes of read(range) ?? []) yield bytes as Buffer;
    }
    yield tail;
  };
  return reply.send(Readable.from(parts()));
}

function contentRange(range: ByteRange, file: StoredFile): string {
  return `bytes ${range.first}-${range.last}/${file.bytes}`;
}

function matches(header: string, etag: string): boolean {
  return header.trim() === "*" || header.split(",").some((part) => part.trim() === etag);
}
