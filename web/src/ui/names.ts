/** What to call people and things on the screen. */

import i18next, { type TFunction } from "i18next";
import type { Refused } from "../api/client";
import type { Outcome, Peer } from "../api/types";
import { formatPhone } from "../phone/address";

/** The best name of a person: name, username, phone, user id, in this order. */
export function nameOf(peer: Peer, t: TFunction): string {
  if (peer.name) return peer.name;
  if (peer.username) return `@${peer.username}`;
  if (peer.phone) return formatPhone(peer.phone);
  return peer.user_id ?? t("person.unknown");
}

/** Up to two letters for an avatar; none for people without a name. */
export function initialsOf(peer: Peer): string {
  const words = (peer.name ?? peer.username ?? "").split(/\s+/).filter(Boolean);
  return words
    .slice(0, 2)
    .map((word) => word.charAt(0).toUpperCase())
    .join("");
}

/** Any key that is known to exist at run time; the compiler cannot know it. */
type AnyText = "problem.unexpected";

/** Plain words for a stable code; the gateway's own English where we have none. */
export function problemText(refused: Refused, t: TFunction): string {
  const byMeta = `meta.${refused.problem.meta?.code}`;
  if (i18next.exists(byMeta)) return String(t(byMeta as AnyText));
  const key = `problem.${refused.code}`;
  if (!i18next.exists(key)) return refused.problem.detail ?? refused.code;
  return String(t(key as "problem.missing_field", { field: refused.problem.field ?? "" }));
}

export function noticeText(code: string, detail: string, t: TFunction): string {
  const key = `notice.${code}`;
  return i18next.exists(key) ? String(t(key as AnyText)) : t("notice.other", { detail });
}

export function outcomeText(outcome: Outcome | null, t: TFunction): string {
  return t(`outcome.${outcome ?? "none"}`);
}
