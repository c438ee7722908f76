// What hosts/simulator/storage finds at ../../../src/ports/board.
export { StorageError } from "sluice/ports/board";
