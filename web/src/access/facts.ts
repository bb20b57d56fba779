/** What a deed of the audit says of itself, in words; what is not known is shown as it is. */

import type { TFunction } from "i18next";
import { formatMinutes, formatNumber } from "../i18n/format";
import type { AuditLine } from "./client";

type Value = AuditLine["fields"][string];

const named = [
  "calls",
  "count",
  "duration_ms",
  "encrypts",
  "files",
  "format",
  "held",
  "language",
  "mode",
  "not_over",
  "records",
  "retention_days",
  "returned_ms",
  "webhooks",
  "when_full",
  "why",
] as const;
type Name = (typeof named)[number];

const whys = ["hand", "room", "retention", "erasure"] as const;
const fulls = ["auto", "stop", "rotate"] as const;
const which = ["none", "inbound", "outbound", "both"] as const;

/** `Why: deleted by hand · Minutes returned: 4:00`. */
export function factsOf({ fields }: AuditLine, t: TFunction): string {
  return Object.entries(fields)
    .map(([name, value]) => factOf(name, value, t))
    .filter((fact) => fact !== null)
    .join(" · ");
}

function factOf(name: string, value: Value, t: TFunction): string | null {
  // Only here null says something.
  if (name === "retention_days" && value === null) {
    return `${t("access.fact.retention_days")}: ${t("keeping.two_years")}`;
  }
  if (value === null || value === "") return null;
  const known = named.find((each) => each === name);
  const label = known === undefined ? name : t(`access.fact.${known}`);
  return `${label}: ${valueInWords(known, value, t)}`;
}

function valueInWords(name: Name | undefined, value: Value, t: TFunction): string {
  if (typeof value === "boolean") return value ? t("access.yes") : t("access.no");
  if (typeof value === "number") {
    return name === "returned_ms" || name === "duration_ms"
      ? formatMinutes(value)
      : formatNumber(value);
  }
  if (Array.isArray(value)) return value.join(", ");
  const why = name === "why" && whys.find((each) => each === value);
  if (why) return t(`access.why.${why}`);
  const full = name === "when_full" && fulls.find((each) => each === value);
  if (full) return t(`keeping.full.${full}`);
  const records = name === "records" && which.find((each) => each === value);
  if (records) return t(`record.records.${records}`);
  return String(value);
}
