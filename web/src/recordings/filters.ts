/** The filters of recordings as they stand in the address. */

import { type Filters, noFilters, verdicts } from "./query";

const DAY = /^\d{4}-\d\d-\d\d$/;
const ID = /^[0-9a-z]{26}$/;
const TEXT_MAX = 200;
const MINUTES_MAX = 16_000;

/** Words that may be typed letter by letter. */
export const typedFilters: readonly (keyof Filters)[] = [
  "since",
  "until",
  "customer",
  "note",
  "minMinutes",
  "maxMinutes",
];

export const filtersInAddress = { read, write };

function read(params: URLSearchParams): Filters {
  const direction = params.get("direction");
  return {
    since: day(params.get("since")),
    until: day(params.get("until")),
    agent: ID.test(params.get("agent") ?? "") ? params.get("agent") : null,
    direction: direction === "inbound" || direction === "outbound" ? direction : "all",
    customer: text(params.get("customer")),
    minMinutes: minutes(params.get("min")),
    maxMinutes: minutes(params.get("max")),
    verdict: verdicts.find((each) => each === params.get("verdict")) ?? null,
    cutByQuota: params.get("cut") === "1",
    held: params.get("held") === "1",
    note: text(params.get("note")),
    deleted: params.get("deleted") === "1",
  };
}

function write(filters: Filters): URLSearchParams {
  const named: Record<string, string | number | boolean | null> = {
    since: filters.since,
    until: filters.until,
    agent: filters.agent,
    direction: filters.direction === noFilters.direction ? null : filters.direction,
    customer: filters.customer,
    min: filters.minMinutes,
    max: filters.maxMinutes,
    verdict: filters.verdict,
    cut: filters.cutByQuota,
    held: filters.held,
    note: filters.note,
    deleted: filters.deleted,
  };
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(named)) {
    if (value === null || value === "" || value === false) continue;
    params.set(name, value === true ? "1" : String(value));
  }
  return params;
}

function day(value: string | null): string {
  return value !== null && DAY.test(value) && !Number.isNaN(Date.parse(value)) ? value : "";
}

function text(value: string | null): string {
  return (value ?? "").slice(0, TEXT_MAX);
}

function minutes(value: string | null): number | "" {
  const parsed = Number(value);
  const isMeant = value !== null && value !== "" && parsed >= 0 && parsed <= MINUTES_MAX;
  return isMeant ? parsed : "";
}
