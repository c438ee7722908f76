import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Image } from "../../control/memory.ts";
import { noteFetch } from "../../control/report.ts";
import type { DigestHex } from "../../names.ts";
import { answer, answerEmpty, answerProblem, problems, unknownModule } from "./answers.ts";
import { artifactBody } from "./deployment-body.ts";
import {
  type DeviceApiOptions,
  type DeviceResource,
  deviceOf,
  idAt,
  linkBase,
} from "./device-api.ts";
import { type ByteRange, parseRange } from "./ranges.ts";

const boundary = "sluice-part-boundary";
const octets = "application/octet-stream";

/** DDI v1 downloads: only what an open action of this device asks for, and nothing once the action is over. */
export function artifactResources(options: DeviceApiOptions): readonly DeviceResource[] {
  return [
    {
      path: "/softwaremodules/:moduleId/artifacts",
      methods: {
        GET: (request, reply) =>
          withImage(request, reply, options, (image) =>
            answer(request, reply, [artifactBody(linkBase(request, options), image)]),
          ),
      },
    },
    {
      path: "/softwaremodules/:moduleId/artifacts/:fileName",
      methods: {
        GET: (request, reply) => serve(request, reply, options),
        HEAD: (request, reply) => serve(request, reply, options),
      },
    },
  ];
}

function serve(
  request: FastifyRequest,
  reply: FastifyReply,
  options: DeviceApiOptions,
): Promise<FastifyReply> {
  const { fileName } = request.params as Record<string, string>;
  return withImage(request, reply, options, async (image) => {
    if (fileName === `${image.fileName}.MD5SUM`) return answerMd5sum(reply, image);
    if (fileName !== image.fileName) return answerEmpty(reply, 404);
    if (request.method === "GET") await noteFetch(options.fleet, deviceOf(request));
    return answerFile(request, reply, options, image);
  });
}

async function withImage(
  request: FastifyRequest,
  reply: FastifyReply,
  options: DeviceApiOptions,
  work: (image: Image) => Promise<FastifyReply> | FastifyReply,
): Promise<FastifyReply> {
  const moduleId = idAt(request, "moduleId");
  if (moduleId === null) return answerProblem(request, reply, problems.notReadable);
  const { action, task, id } = deviceOf(request);
  const image = options.fleet.memory.images.get(moduleId);
  const isAssigned = task.kind === "install" && action?.image_id === moduleId;
  if (image === undefined || !isAssigned)
    return answerProblem(request, reply, unknownModule(moduleId, id));
  return work(image);
}

/** Exactly `<md5>  <file>`, two spaces and no line end. */
function answerMd5sum(reply: FastifyReply, image: Image): FastifyReply {
  return reply
    .header("content-disposition", `attachment;filename=${image.fileName}.MD5SUM`)
    .type("text/plain;charset=UTF-8")
    .send(`${image.fileMd5}  ${image.fileName}`);
}

function answerFile(
  request: FastifyRequest,
  reply: FastifyReply,
  options: DeviceApiOptions,
  image: Image,
): FastifyReply {
  const { headers } = request;
  const etag = `"${image.fileSha1}"`;
  if (headers["if-match"] !== undefined && !matches(headers["if-match"], etag))
    return answerEmpty(reply, 412);
  reply
    .header("etag", etag)
    .header("accept-ranges", "bytes")
    .header("last-modified", new Date(image.createdAtUnixMs).toUTCString())
    .header("content-disposition", `attachment;filename=${image.fileName}`);
  // If-Range takes an ETag only; a date, which is too coarse to resume by, gets the whole file as hawkBit gives it.
  const isStale = headers["if-range"] !== undefined && headers["if-range"] !== etag;
  const wanted = parseRange(isStale ? undefined : headers.range, image.fileBytes);
  const file = fileReader(request, options, image);
  if (wanted.kind === "unsatisfiable") {
    reply.header("content-range", `bytes */${image.fileBytes}`).type(octets);
    return answerEmpty(reply, 416);
  }
  if (wanted.kind === "whole") {
    reply.type(octets).header("content-length", image.fileBytes);
    return reply.send(file({ first: 0, last: image.fileBytes - 1 }));
  }
  if (wanted.ranges.length > 1) return answerParts(request, reply, options, image, wanted.ranges);
  const [range] = wanted.ranges;
  reply
    .code(206)
    .type(octets)
    .header("content-range", contentRange(range, image))
    .header("content-length", range.last - range.first + 1);
  return reply.send(file(range));
}

function fileReader(
  request: FastifyRequest,
  options: DeviceApiOptions,
  image: Image,
): (range: ByteRange) => Readable | null {
  return (range) =>
    request.method === "HEAD"
      ? null
      : options.fleet.artifacts.read(image.fileSha256 as DigestHex, range);
}

/** `multipart/byteranges` (RFC 9110, 14.6), with a length: some clients take no chunks. */
function answerParts(
  request: FastifyRequest,
  reply: FastifyReply,
  options: DeviceApiOptions,
  image: Image,
  ranges: readonly ByteRange[],
): FastifyReply {
  const heads = ranges.map((range, index) =>
    Buffer.from(
      `${index === 0 ? "" : "\r\n"}--${boundary}\r\nContent-Type: ${octets}\r\n` +
        `Content-Range: ${contentRange(range, image)}\r\n\r\n`,
    ),
  );
  const tail = Buffer.from(`\r\n--${boundary}--`);
  const bodyBytes = ranges.reduce((sum, range) => sum + range.last - range.first + 1, 0);
  const headBytes = heads.reduce((sum, head) => sum + head.length, 0);
  reply
    .code(206)
    .type(`multipart/byteranges; boundary=${boundary}`)
    .header("content-length", headBytes + bodyBytes + tail.length);
  const file = fileReader(request, options, image);
  if (request.method === "HEAD") return reply.send(null);
  const parts = async function* (): AsyncGenerator<Buffer> {
    for (const [index, range] of ranges.entries()) {
      yield heads[index] ?? tail;
      for await (const bytes of file(range) ?? []) yield bytes as Buffer;
    }
    yield tail;
  };
  return reply.send(Readable.from(parts()));
}

function contentRange(range: ByteRange, image: Image): string {
  return `bytes ${range.first}-${range.last}/${image.fileBytes}`;
}

function matches(header: string, etag: string): boolean {
  return header.trim() === "*" || header.split(",").some((part) => part.trim() === etag);
}
