/** Figures of recordings as people read them. */

import type { Verdict } from "../api/types";
import { formatOffset } from "../i18n/format";

const troubling: readonly Verdict[] = ["lost", "corrupt"];
const worthALook: readonly Verdict[] = ["official_only", "official_shorter", "official_longer"];

/** How a verdict is coloured; the words beside it say the same. */
export function toneOf(verdict: Verdict): string {
  if (troubling.includes(verdict)) return "red";
  if (worthALook.includes(verdict)) return "orange";
  return verdict === "matched" ? "brand" : "gray";
}

/** To the tenth of a second: two lengths are compared. */
export function shortDuration(ms: number | null): string | null {
  if (ms === null) return null;
  const tenths = Math.round(ms / 100);
  const seconds = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return `${Math.floor(tenths / 600)}:${seconds}`;
}

export function signedSeconds(ms: number | null): string | null {
  return ms === null ? null : formatOffset(ms);
}
