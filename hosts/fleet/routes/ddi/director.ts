import type { FastifyReply, FastifyRequest } from "fastify";
import { isNonce } from "../../../../src/trust/director-document.ts";
import { DevicePace } from "../../operations/device-pace.ts";
import { answerEmpty } from "../requests/answers.ts";
import { answerProblem, problems } from "./answers.ts";
import { type DeviceApiOptions, type DeviceResource, deviceOf } from "./device-api.ts";

/** `director?nonce=`: what this device shall install, signed for it and for this question alone. */
export function directorResources(options: DeviceApiOptions): readonly DeviceResource[] {
  const { trust } = options.fleet;
  if (trust === null) return [];
  const pace = new DevicePace({ atOnceMax: 60, everyMs: 20_000 });
  const answerDirector = async (
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> => {
    const { nonce } = request.query as Record<string, unknown>;
    if (typeof nonce !== "string" || !isNonce(nonce))
      return answerProblem(request, reply, problems.notReadable);
    const { id: deviceId, row, action, instruction } = deviceOf(request);
    // A device whose hardware is not known has sent no attributes yet; it asks again.
    if (row.hardware === null) return answerEmpty(reply, 404);
    const offered =
      instruction.kind === "install" && action !== null
        ? options.fleet.memory.images.get(action.image_id)
        : undefined;
    // A configuration document is trusted by its own signature; the director is about images.
    const image = offered?.kind === "firmware" ? offered : undefined;
    const assignment = image === undefined ? null : trust.assignmentOf(image, row.hardware);
    if (image !== undefined && assignment === null) trust.noteUnsigned(image, row.hardware);
    const waitMs = pace.take(deviceOf(request), options.fleet.time.nowMs());
    if (waitMs > 0) return answerEmpty(reply.header("retry-after", Math.ceil(waitMs / 1000)), 429);
    const bytes = await trust.director({ deviceId, hardware: row.hardware, nonce, assignment });
    if (bytes === null) return answerEmpty(reply, 404);
    return reply
      .header("cache-control", "no-store")
      .header("content-length", bytes.length)
      .type("application/json")
      .send(Buffer.from(bytes));
  };
  return [{ path: "/director", methods: { GET: answerDirector } }];
}
