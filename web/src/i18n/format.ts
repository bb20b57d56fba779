/** Times, durations and figures as people read them. */

import i18next from "i18next";

/** English here is read in the whole world: day before month, 24 hours. */
function locale(): string {
  return i18next.language === "en" ? "en-GB" : i18next.language;
}

/** `1:05`, `1:02:03`. */
export function formatDuration(ms: number): string {
  const whole = Math.floor(ms / 1000);
  const seconds = String(whole % 60).padStart(2, "0");
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  if (hours === 0) return `${minutes}:${seconds}`;
  return `${hours}:${String(minutes).padStart(2, "0")}:${seconds}`;
}

/** Offset within a call: `+0.012 s`, `+1:05.250`. */
export function formatOffset(ms: number): string {
  const sign = ms < 0 ? "−" : "+";
  const size = Math.abs(ms);
  if (size < 60_000) return `${sign}${(size / 1000).toFixed(3)} s`;
  const rest = ((size % 60_000) / 1000).toFixed(3).padStart(6, "0");
  return `${sign}${Math.floor(size / 60_000)}:${rest}`;
}

/** A moment in the account's time zone, on a 24 h clock. */
export function formatMoment(iso: string, timeZone: string): string {
  return new Intl.DateTimeFormat(locale(), {
    dateStyle: "medium",
    timeStyle: "medium",
    hourCycle: "h23",
    timeZone,
  }).format(new Date(iso));
}

export function formatPercent(fraction: number): string {
  return new Intl.NumberFormat(locale(), {
    style: "percent",
    maximumFractionDigits: 1,
  }).format(fraction);
}

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;
const STEP = 1000;

/** `820 byte`, `1.2 MB`. */
export function formatBytes(bytes: number): string {
  const place = Math.min(
    Math.floor(Math.log(Math.max(bytes, 1)) / Math.log(STEP)),
    UNITS.length - 1,
  );
  return new Intl.NumberFormat(locale(), {
    style: "unit",
    unit: UNITS[place] ?? "byte",
    maximumFractionDigits: place === 0 ? 0 : 1,
  }).format(bytes / STEP ** place);
}

export function formatNumber(count: number): string {
  return new Intl.NumberFormat(locale()).format(count);
}

/** Recording time: minutes and seconds, `1,234:05`; the list of minutes has no hours. */
export function formatMinutes(ms: number): string {
  const whole = Math.floor(ms / 1000);
  const minutes = new Intl.NumberFormat(locale()).format(Math.floor(whole / 60));
  return `${minutes}:${String(whole % 60).padStart(2, "0")}`;
}

/** A day of a calendar, written `2026-03-10`, whatever the zone of this browser. */
export function formatDay(day: string): string {
  return new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeZone: "UTC" }).format(
    new Date(`${day}T00:00:00Z`),
  );
}

/** Hours and minutes in the account's time zone. */
export function formatClock(iso: string, timeZone: string): string {
  return new Intl.DateTimeFormat(locale(), {
    timeStyle: "short",
    hourCycle: "h23",
    timeZone,
  }).format(new Date(iso));
}
