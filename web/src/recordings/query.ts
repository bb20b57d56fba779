/** What the list of recordings is filtered by: what people typed, and what the gateway is asked. */

import type { RecordingItem, RecordingsQuery, Verdict } from "../api/library";
import type { Direction } from "../api/types";
import { parseAddress } from "../phone/address";

export interface Filters {
  since: string;
  until: string;
  agent: string | null;
  direction: "all" | Direction;
  customer: string;
  minMinutes: number | "";
  maxMinutes: number | "";
  verdict: Verdict | null;
  cutByQuota: boolean;
  held: boolean;
  note: string;
  deleted: boolean;
}

export const noFilters: Filters = {
  since: "",
  until: "",
  agent: null,
  direction: "all",
  customer: "",
  minMinutes: "",
  maxMinutes: "",
  verdict: null,
  cutByQuota: false,
  held: false,
  note: "",
  deleted: false,
};

export const verdicts: readonly Verdict[] = [
  "matched",
  "trimmed_to_quota",
  "official_shorter",
  "official_longer",
  "local_only",
  "official_only",
  "corrupt",
  "local",
];

const MINUTE_MS = 60_000;

/** Ask the gateway for these; null while the customer is not typed well enough to ask. */
export function queryOf(filters: Filters): RecordingsQuery | null {
  const customer = customerOf(filters.customer);
  if (customer === null) return null;
  return {
    ...customer,
    since: filters.since || undefined,
    until: filters.until || undefined,
    agent_id: filters.agent ?? undefined,
    direction: filters.direction === "all" ? undefined : filters.direction,
    min_duration_ms: inMs(filters.minMinutes),
    max_duration_ms: inMs(filters.maxMinutes),
    verdict: filters.verdict ?? undefined,
    cut_by_quota: filters.cutByQuota || undefined,
    held: filters.held || undefined,
    note: filters.note.trim() || undefined,
    state: filters.deleted ? "trashed" : undefined,
  };
}

function customerOf(typed: string): { phone?: string; user_id?: string } | null {
  if (typed.trim() === "") return {};
  const parsed = parseAddress(typed);
  return "to" in parsed ? parsed.to : null;
}

function inMs(minutes: number | ""): number | undefined {
  return minutes === "" ? undefined : Math.round(minutes * MINUTE_MS);
}

/** How long recordings are together. */
export function totalMs(items: readonly RecordingItem[]): number {
  return items.reduce((sum, { duration_ms }) => sum + duration_ms, 0);
}

/** A held recording is not deleted: it is left out, and said so. */
export function deletable(items: readonly RecordingItem[]): RecordingItem[] {
  return items.filter(({ hold, state }) => hold === null && state === "available");
}
