/** Sample calls and messages for tests. */

import type { CallView, Me, ServerMessage } from "../api/types";

export const me: Me = {
  user: { id: "u1", name: "Sari", email: "sari@example.test", role: "agent" },
  account: { cid: "c1", name: "Toko", timezone: "Asia/Jakarta" },
  numbers: [{ id: "n1", display: "+62 21 555 0100" }],
  availability: "away",
  rtc: { ice_servers: [] },
  limits: { reattach_s: 45 },
  version: "0.1.0",
};

export function callOf(part: Partial<CallView> = {}): CallView {
  return {
    id: "k1",
    version: 1,
    direction: "inbound",
    state: "ringing",
    peer: { name: "Budi", phone: "6281200000001", user_id: null, username: null },
    number: { id: "n1", display: "+62 21 555 0100" },
    agent: null,
    offered_to: ["u1"],
    created_at: "2026-05-04T03:00:00.000Z",
    answered_at: null,
    ended_at: null,
    reattach_until: null,
    muted: false,
    held: false,
    agent_away: false,
    outcome: null,
    problem: null,
    quality: null,
    recording: null,
    transcript: false,
    ...part,
  };
}

export const matched = {
  verdict: "matched" as const,
  final: false,
  record: "official" as const,
  stored_ms: 2_000,
  official_ms: 2_300,
  local_ms: 2_000,
  offset_ms: -300,
  digest: "verified" as const,
  cut_by_quota: false,
};

export const mine = { id: "u1", name: "Sari" };

export function snapshot(calls: CallView[] = [], who: Me = me): ServerMessage {
  return {
    seq: 1,
    type: "snapshot",
    at: "2026-05-04T03:00:10.000Z",
    me: who,
    calls,
    presence: [{ user_id: "u1", name: "Sari", state: "available" }],
  };
}
