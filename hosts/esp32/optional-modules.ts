/**
 * What the SDK's manifests put into every firmware for Zephyr: left out where no program imports
 * it, together with what it asks of Zephyr.
 */
const optionalParts: readonly {
  readonly modules: readonly string[];
  /** Ends of the paths of their C sources. */
  readonly natives: readonly string[];
  /** Options of Zephyr's configuration, without CONFIG_. */
  readonly options: readonly string[];
}[] = [
  { modules: ["embedded:io/analog"], natives: ["/_analog.c"], options: ["ADC"] },
  { modules: ["embedded:io/i2c", "embedded:io/smbus"], natives: ["/_i2c.c"], options: ["I2C"] },
  { modules: ["embedded:io/pwm"], natives: ["/_pwm.c"], options: ["PWM"] },
  {
    modules: ["embedded:io/digital", "embedded:io/digitalbank"],
    natives: ["/digitalbank.c"],
    options: [],
  },
  { modules: ["embedded:io/serial"], natives: ["/zephyr/serial.c"], options: [] },
  {
    modules: ["embedded:RTC/zephyr-builtin"],
    natives: ["/rtc/rtc.c"],
    options: ["RTC_ALARM", "RTC"],
  },
  {
    modules: ["embedded:storage/files", "embedded:x-files-implementation"],
    natives: ["/files-zephyr.c"],
    options: ["FS_LITTLEFS_FMP_DEV", "FILE_SYSTEM_LITTLEFS", "FILE_SYSTEM"],
  },
  { modules: ["embedded:display/zephyr"], natives: ["/zephyr/display.c"], options: ["DISPLAY"] },
  { modules: ["commodetto/Bitmap"], natives: ["/commodettoBitmap.c"], options: [] },
  { modules: ["ber", "pkcs1", "pkcs8", "rsa"], natives: [], options: [] },
  { modules: ["x509"], natives: ["/etc/x509.c"], options: [] },
  { modules: ["Resource"], natives: ["/resource/Resource.c"], options: [] },
  { modules: ["modules"], natives: ["/base/modules/modules.c"], options: [] },
  { modules: ["system"], natives: ["/io/system/system.c"], options: [] },
  { modules: ["embedded:provider/builtin", "mc/devicetree"], natives: [], options: [] },
];

const optionalNames = new Set(optionalParts.flatMap(({ modules }) => modules));

export function isOptionalModule(name: string): boolean {
  return optionalNames.has(name);
}

/** What only modules need that are not there. */
export interface UnusedParts {
  /** Ends of paths. */
  readonly natives: readonly string[];
  /** Lines for Zephyr's configuration. */
  readonly configuration: string;
}

export function unusedParts(reached: ReadonlySet<string>): UnusedParts {
  const unused = optionalParts.filter(({ modules }) => !modules.some((name) => reached.has(name)));
  return {
    natives: unused.flatMap(({ natives }) => natives),
    configuration: unused
      .flatMap(({ options }) => options.map((option) => `CONFIG_${option}=n\n`))
      .join(""),
  };
}
