import { hash } from "node:crypto";
import type { FastifyInstance } from "fastify";
import type { DigestHex } from "../../../../src/protocol/digest.ts";
import type { ArtifactFolder } from "../../storage/artifacts.ts";
import type { FleetTrust } from "../../trust/fleet-trust.ts";
import { answerEmpty } from "../requests/answers.ts";
import { refuseOtherMethods } from "../requests/other-methods.ts";
import { answerStoredFile } from "./stored-file.ts";

export interface TufRoutesOptions {
  readonly trust: FleetTrust;
  readonly artifacts: ArtifactFolder;
  readonly tenant: string;
}

/** A version of a role, and a file under its hash, never change: any cache may keep them. */
const immutable = "public, max-age=31536000, immutable";

/**
 * TUF's files as clients of the specification ask for them: `/{tenant}/tuf/2.root.json`,
 * `timestamp.json`, and the targets under their hashes in `/{tenant}/tuf/targets/`. Signed, so
 * public.
 */
export function tufRoutes(options: TufRoutesOptions) {
  const { trust, artifacts, tenant } = options;
  const isTenant = (name: string): boolean => name.toUpperCase() === tenant;
  return async (app: FastifyInstance): Promise<void> => {
    const refuseOthers = refuseOtherMethods(app);
    app.route<{ Params: { tenant: string; file: string } }>({
      method: ["GET", "HEAD"],
      url: "/:tenant/tuf/:file",
      schema: { hide: true },
      handler: (request, reply) => {
        const { params, headers } = request;
        const file = isTenant(params.tenant) ? trust.file(params.file) : null;
        if (file === null) return answerEmpty(reply.header("cache-control", "no-cache"), 404);
        const etag = `"${hash("sha256", file.bytes, "hex").slice(0, 32)}"`;
        reply
          .header("etag", etag)
          .header("cache-control", file.isImmutable ? immutable : "no-cache")
          .type("application/json");
        if (headers["if-none-match"] === etag) return answerEmpty(reply, 304);
        reply.header("content-length", file.bytes.length);
        return reply.send(request.method === "HEAD" ? null : file.bytes);
      },
    });
    app.route<{ Params: { tenant: string; "*": string } }>({
      method: ["GET", "HEAD"],
      url: "/:tenant/tuf/targets/*",
      schema: { hide: true },
      handler: (request, reply) => {
        const address = request.params["*"];
        const target = isTenant(request.params.tenant) ? trust.target(address) : null;
        if (target === null) return answerEmpty(reply.header("cache-control", "no-cache"), 404);
        const sha256 = target.hashes.sha256 as DigestHex;
        reply.header("cache-control", immutable);
        const fileName = address.slice(address.lastIndexOf("/") + sha256.length + 2);
        const file = { sha256, bytes: target.length, etag: sha256, fileName };
        return answerStoredFile(request, reply, artifacts, file);
      },
    });
    refuseOthers();
  };
}
