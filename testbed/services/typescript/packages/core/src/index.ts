import ms from "ms";

/** How long the service runs, for people. */
export function uptime(milliseconds: number): string {
  return ms(Math.round(milliseconds));
}
