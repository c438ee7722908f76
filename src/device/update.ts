import { createUpdate, mcubootTarget } from "../slots/update.ts";
import { readIdentity } from "../update/settings.ts";
import { nativeCrypto } from "./crypto.ts";
import { withKeyValue } from "./key-value.ts";

/**
 * `embedded:update` for an application that brings its own transport: images are held against the
 * keys of the enrolment; a device that was never enrolled takes none. An application with keys of
 * its own maps `embedded:update` to a module that calls `createUpdate` with them. It shares the
 * secondary slot with the agent: use one of the two at a time.
 */
export default createUpdate(
  mcubootTarget(() => ({
    crypto: nativeCrypto,
    keys: withKeyValue("sluice", readIdentity)?.imageKeys ?? [],
  })),
);
