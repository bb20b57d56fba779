/** Questions about the calls that are known: which one is mine, which ones ring at my desk. */

import type { CallView, Peer } from "../api/types";
import type { LineState } from "./reducer";

/** The call that this person is in, whatever its state; at most one at a time. */
export function ownCall(line: LineState): CallView | null {
  const me = line.me?.user.id;
  if (me === undefined) return null;
  const mine = Object.values(line.live).filter((call) => call.agent?.id === me);
  return mine.sort(byAge)[0] ?? null;
}

/** Calls that ring at this person's desk, oldest first; none while in a call. */
export function offers(line: LineState): CallView[] {
  const me = line.me?.user.id;
  if (me === undefined) return [];
  return Object.values(line.live)
    .filter((call) => call.state === "ringing" && call.offered_to.includes(me))
    .sort(byAge);
}

function byAge(a: CallView, b: CallView): number {
  return a.created_at.localeCompare(b.created_at) || a.id.localeCompare(b.id);
}

/** Is it the same person? The business-scoped id decides where both have one. */
export function isSamePeer(a: Peer, b: Peer): boolean {
  if (a.user_id && b.user_id) return a.user_id === b.user_id;
  return Boolean(a.phone) && a.phone === b.phone;
}

/** Milliseconds talked so far, or in all; null before the pick-up. `now` is the server's clock. */
export function talkedMs(call: CallView, now: number): number | null {
  if (!call.answered_at) return null;
  const until = call.ended_at ? Date.parse(call.ended_at) : now;
  return Math.max(0, until - Date.parse(call.answered_at));
}
