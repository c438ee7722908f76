import { readFileSync } from "node:fs";
import { join } from "node:path";
import { boards } from "../../hosts/esp32/boards.ts";

/** What the overlays of the boards with a wire say of it. */
export function readBoards(): { readonly name: string; readonly wireBaud: number }[] {
  return boards
    .filter(({ network }) => network === "serial")
    .map(({ name, folder }) => {
      const text = readFileSync(join(folder, "board.overlay"), "utf8");
      return { name, wireBaud: Number(/current-speed = <(\d+)>/.exec(text)?.[1]) };
    });
}
