/** Pictures of the minutes: which of two is the newer, and how to draw one. */

import type { Quota } from "../api/types";

/** Pictures come by event and by request; the later moment wins. */
export function newerOf(a: Quota | null, b: Quota | null): Quota | null {
  if (a === null || b === null) return a ?? b;
  return Date.parse(a.at) >= Date.parse(b.at) ? a : b;
}

export interface Share {
  part: "used" | "reserved" | "free";
  percent: number;
}

/** Parts of a whole that is never smaller than what is taken (overdrawn accounts). */
export function sharesOf(quota: Quota): Share[] {
  const whole = quota.used_ms + quota.reserved_ms + quota.free_ms;
  const percent = (ms: number): number => (whole === 0 ? 0 : (ms / whole) * 100);
  return [
    { part: "used", percent: percent(quota.used_ms) },
    { part: "reserved", percent: percent(quota.reserved_ms) },
    { part: "free", percent: percent(quota.free_ms) },
  ];
}
