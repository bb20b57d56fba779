/** The form of how long recordings are kept: what it holds, and what keeps it from being saved. */

import type { Keeping, KeepingChange } from "../api/keeping";

export interface Draft {
  span: "two_years" | "days";
  /** As it is typed; it counts only where `span` says so. */
  days: number | "";
  when_full: Keeping["when_full"];
  encrypts: boolean;
}

export type Obstacle = "unchanged" | "days";

/** Shown where somebody begins to choose. */
const DAYS_AT_FIRST = 365;
/** Two years have as many days, or one more. */
const TWO_YEARS_MIN = 730;

export function draftOf(keeping: Keeping): Draft {
  const { retention_days: days, when_full, encrypts } = keeping;
  const span = days === null ? "two_years" : "days";
  return { span, days: days ?? DAYS_AT_FIRST, when_full, encrypts };
}

/** What is sent; null while the number of days is none that can be kept. */
export function changeOf(draft: Draft, keeping: Keeping): KeepingChange | null {
  const { when_full, encrypts } = draft;
  const { version, retention_days_max: max } = keeping;
  if (draft.span === "two_years") return { version, when_full, encrypts, retention_days: null };
  const { days } = draft;
  if (!isSpan(days, max)) return null;
  return { version, when_full, encrypts, retention_days: days };
}

/** Whether recordings can be kept for so many days. */
export function isSpan(days: number | "", max: number): days is number {
  return days !== "" && Number.isInteger(days) && days >= 1 && days <= max;
}

export function obstacleOf(draft: Draft, keeping: Keeping): Obstacle | null {
  const change = changeOf(draft, keeping);
  if (change === null) return "days";
  const names = ["when_full", "encrypts", "retention_days"] as const;
  return names.every((name) => change[name] === keeping[name]) ? "unchanged" : null;
}

/** Whether some recording may go sooner than before. */
export function isShorter(wanted: number | null, before: number | null): boolean {
  if (wanted === null) return before !== null && before > TWO_YEARS_MIN;
  return wanted < (before ?? TWO_YEARS_MIN + 1);
}
