/** The offset that ECMA-402's date and time have, read apart from what the server reads. */
export function intlOffset(name: string): (unixSeconds: number) => number {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: name,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  return (second) => {
    const [month, day, year, hour, minute, rest] = format
      .format(second * 1000)
      .split(/\D+/)
      .map(Number);
    const local = Date.UTC(year ?? 0, (month ?? 0) - 1, day, hour, minute, rest);
    return local / 1000 - second;
  };
}
