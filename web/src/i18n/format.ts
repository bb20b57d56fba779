/** Times, durations and figures as people read them. */

import i18next from "i18next";

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
  return new Intl.DateTimeFormat(i18next.language, {
    dateStyle: "medium",
    timeStyle: "medium",
    hourCycle: "h23",
    timeZone,
  }).format(new Date(iso));
}

export function formatPercent(fraction: number): string {
  return new Intl.NumberFormat(i18next.language, {
    style: "percent",
    maximumFractionDigits: 1,
  }).format(fraction);
}
