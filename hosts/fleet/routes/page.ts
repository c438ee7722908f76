import { readFileSync } from "node:fs";
import type { FastifyInstance } from "fastify";

const files = [
  { url: "/", name: "index.html", type: "text/html" },
  { url: "/page.css", name: "page.css", type: "text/css" },
  { url: "/page.js", name: "page.js", type: "text/javascript" },
] as const;

/** Nothing from elsewhere, no inline script, no frame around it. */
const contentPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'";

/** The plain page of the fleet at `/`: three static files that ask the management API. */
export async function pageRoutes(app: FastifyInstance): Promise<void> {
  for (const { url, name, type } of files) {
    const text = readFileSync(new URL(`../page/${name}`, import.meta.url), "utf8");
    app.get(url, { schema: { hide: true } }, (_, reply) =>
      reply
        .header("content-security-policy", contentPolicy)
        .header("x-content-type-options", "nosniff")
        .header("referrer-policy", "no-referrer")
        .header("cache-control", "no-cache")
        .type(`${type}; charset=utf-8`)
        .send(text),
    );
  }
}
