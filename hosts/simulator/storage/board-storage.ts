import type { FlashArea } from "../../../src/ports/flash.ts";
import type { BoardStorage } from "../board/board-host.ts";
import { openKeyValue } from "./key-value.ts";
import { openSettings } from "./settings.ts";

/**
 * The storage partition as `embedded:storage/key-value` shows it; names are `path/key`. Mounted
 * anew at each boot.
 */
export function mountBoardStorage(area: FlashArea): BoardStorage {
  const settings = openSettings(area);
  const split = (name: string): readonly [ReturnType<typeof openKeyValue>, string] => {
    const slash = name.indexOf("/");
    return [openKeyValue(settings, name.slice(0, slash)), name.slice(slash + 1)];
  };
  return {
    read(name) {
      const [storage, key] = split(name);
      return storage.read(key);
    },
    write(name, value) {
      const [storage, key] = split(name);
      storage.write(key, value);
    },
    delete(name) {
      const [storage, key] = split(name);
      storage.delete(key);
    },
    keys: () => settings.keys(),
  };
}
