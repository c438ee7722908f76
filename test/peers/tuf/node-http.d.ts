import type { Http } from "../../../src/ports/http.ts";
/** The Http port on Node's own client: one connection per request, no redirects. */
export declare const nodeHttp: Http;
