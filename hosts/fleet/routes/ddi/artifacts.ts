import type { FastifyReply, FastifyRequest } from "fastify";
import type { DigestHex } from "../../../../src/protocol/digest.ts";
import type { ReleaseFile } from "../../operations/releases.ts";
import { noteFetch } from "../../operations/report.ts";
import { pacedFiles } from "../files/paced-files.ts";
import { answerStoredFile } from "../files/stored-file.ts";
import { answerEmpty } from "../requests/answers.ts";
import { answer, answerProblem, type Problem, problems, unknownModule } from "./answers.ts";
import { artifactBody } from "./deployment-body.ts";
import {
  type DeviceApiOptions,
  type DeviceResource,
  deviceOf,
  idAt,
  linkBase,
} from "./device-api.ts";

/**
 * DDI v1 downloads: only what an open action of this device asks for, and nothing once the action
 * is over.
 */
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
    if (request.method === "HEAD") return answerFile(request, reply, options, image);
    const waitSeconds = options.fleet.admission.fetch(deviceOf(request));
    if (waitSeconds > 0)
      return answerProblem(request, reply.header("retry-after", waitSeconds), allDownload);
    await noteFetch(options.fleet, deviceOf(request));
    return answerFile(request, reply, options, image);
  });
}

async function withImage(
  request: FastifyRequest,
  reply: FastifyReply,
  options: DeviceApiOptions,
  work: (image: ReleaseFile) => Promise<FastifyReply> | FastifyReply,
): Promise<FastifyReply> {
  const moduleId = idAt(request, "moduleId");
  if (moduleId === null) return answerProblem(request, reply, problems.notReadable);
  const { action, instruction, id } = deviceOf(request);
  const image = options.fleet.memory.images.get(moduleId);
  const isAssigned = instruction.kind === "install" && action?.image_id === moduleId;
  if (image === undefined || !isAssigned)
    return answerProblem(request, reply, unknownModule(moduleId, id));
  return work(image);
}

/** All slots for downloads are taken: this one asks again, and is told so by its next poll. */
const allDownload: Problem = {
  status: 503,
  exceptionClass: "ServerUnavailable",
  errorCode: "sluice.error.allDownload",
  message: "As many devices download as may at once: ask again",
};

/** Exactly `<md5>  <file>`, two spaces and no line end. */
function answerMd5sum(reply: FastifyReply, image: ReleaseFile): FastifyReply {
  return reply
    .header("content-disposition", `attachment;filename=${image.fileName}.MD5SUM`)
    .type("text/plain;charset=UTF-8")
    .send(`${image.fileMd5}  ${image.fileName}`);
}

function answerFile(
  request: FastifyRequest,
  reply: FastifyReply,
  options: DeviceApiOptions,
  image: ReleaseFile,
): Promise<FastifyReply> {
  reply.header("last-modified", new Date(image.createdAtUnixMs).toUTCString());
  const { artifacts, admission } = options.fleet;
  const device = deviceOf(request);
  const files = admission.isPaced(device) ? pacedFiles(artifacts, admission, device) : artifacts;
  return answerStoredFile(request, reply, files, {
    sha256: image.fileHash as DigestHex,
    bytes: image.fileBytes,
    etag: image.fileSha1,
    fileName: image.fileName,
  });
}
