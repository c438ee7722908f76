// embedded:io/analog on Linux: every pin reads what SLUICE_ANALOG_RAW says, of 12 bits.

/** The SDK's compiler turns `native("name").call(this, ...)` into the C function of that name. */
declare function native(name: string): (...parameters: unknown[]) => unknown;

const host = Object.freeze({
  environment(name: string) {
    return native("xs_sluice_environment").call(this, name) as string | undefined;
  },
});

export default class Analog {
  readonly resolution = 12;
  readonly pin: number;

  constructor({ pin }: { readonly pin: number }) {
    this.pin = pin;
  }

  read(): number {
    return Number(host.environment("SLUICE_ANALOG_RAW") ?? 0);
  }

  close(): void {}
}
