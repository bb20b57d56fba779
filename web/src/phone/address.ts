/** Whom to call, out of what a person typed or pasted. */

import type { DialTarget } from "../api/client";

/** E.164 allows 15 digits; fewer than 7 is no international number. */
const PHONE = /^[1-9]\d{6,14}$/;
/** `CC.` and up to 128 letters or digits; a parent id has `ENT.` between. Letters are never stripped. */
const BSUID = /^[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}$/;
const PUNCTUATION = /[\s\-().\u00a0\u2010-\u2015\u202a-\u202e\u2066-\u2069]/g;

export type Fault = "empty" | "no_country_code" | "not_a_number" | "too_short" | "too_long";
export type Parsed = { to: DialTarget } | { fault: Fault };

export function parseAddress(typed: string): Parsed {
  const text = typed.trim();
  if (text === "") return { fault: "empty" };
  if (BSUID.test(text)) return { to: { user_id: text } };
  const bare = text.replace(/^tel:/i, "").replace(PUNCTUATION, "");
  const digits = bare.replace(/^(\+|00)/, "");
  if (!/^\d+$/.test(digits)) return { fault: "not_a_number" };
  if (digits.startsWith("0")) return { fault: "no_country_code" };
  if (PHONE.test(digits)) return { to: { phone: digits } };
  return { fault: digits.length > 15 ? "too_long" : "too_short" };
}

/** Two- and three-digit country codes that matter for grouping; all others show ungrouped. */
const COUNTRY_CODE =
  /^(1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[2-9]\d\d)(\d+)$/;

/** `6281234567890` → `+62 812 3456 7890`: groups that are read aloud easily, no digit changed. */
export function formatPhone(digits: string): string {
  const match = COUNTRY_CODE.exec(digits);
  if (!match?.[1] || !match[2]) return `+${digits}`;
  if (match[1] === "1" && match[2].length === 10) {
    return `+1 ${match[2].slice(0, 3)} ${match[2].slice(3, 6)} ${match[2].slice(6)}`;
  }
  const groups = [match[2].slice(0, 3), ...(match[2].slice(3).match(/.{1,4}/g) ?? [])];
  const last = groups.at(-1);
  if (last !== undefined && last.length < 3 && groups.length > 1) {
    groups.splice(-2, 2, (groups.at(-2) ?? "") + last);
  }
  return `+${match[1]} ${groups.join(" ")}`;
}
