import { describe, expect, it } from "vitest";
import type { CallView, Me, ServerMessage } from "../api/types";
import { offers, ownCall } from "./calls";
import { initialLine, type LineEvent, type LineState, reduce, TOMBSTONES_MAX } from "./reducer";
import { callOf, matched, me, mine, snapshot } from "./testing";

const RECEIVED = Date.parse("2026-05-04T03:00:00.000Z");

function message(value: ServerMessage): LineEvent {
  return { type: "message", message: value, receivedAt: RECEIVED };
}

function stateAfter(...events: LineEvent[]): LineState {
  return events.reduce(reduce, initialLine);
}

/** A connection: its snapshot with these calls, then news of calls, numbered as the server does. */
function connection(calls: CallView[], news: CallView[], who: Me = me): LineEvent[] {
  const events = news.map((call, index) =>
    message({ seq: index + 2, type: "call" as const, call }),
  );
  return [{ type: "connecting" }, message(snapshot(calls, who)), ...events];
}

const supervisor: Me = { ...me, user: { ...me.user, role: "supervisor" } };
const ringing = callOf();
const talking = callOf({ version: 3, state: "talking", agent: mine, offered_to: [] });
const ended = callOf({
  version: 4,
  state: "ended",
  agent: mine,
  offered_to: [],
  outcome: "completed",
});

describe("a connection", () => {
  it("is open only after its snapshot", () => {
    expect(stateAfter({ type: "connecting" }).connection).toBe("connecting");
    expect(stateAfter(...connection([], [])).connection).toBe("open");
  });

  it("learns the server's clock from the snapshot", () => {
    expect(stateAfter(...connection([], [])).clockOffsetMs).toBe(10_000);
  });

  it("ignores a repeated event", () => {
    const twice = message({ seq: 2, type: "call", call: ringing });
    const state = stateAfter(...connection([], []), twice, twice);
    expect(state.gap).toBe(false);
    expect(offers(state)).toEqual([ringing]);
  });

  it("notes a missing event and believes nothing after it", () => {
    const state = stateAfter(
      ...connection([], []),
      message({ seq: 3, type: "call", call: ringing }),
      message({ seq: 4, type: "call", call: callOf({ id: "k2" }) }),
    );
    expect(state.gap).toBe(true);
    expect(offers(state)).toEqual([]);
  });

  it("cannot start with anything but a snapshot", () => {
    const first = message({ seq: 1, type: "call", call: ringing });
    expect(stateAfter({ type: "connecting" }, first).gap).toBe(true);
  });

  it("is whole again after reconnecting", () => {
    const state = stateAfter(
      ...connection([], []),
      message({ seq: 9, type: "call", call: ringing }),
      ...connection([ringing], []),
    );
    expect(state.gap).toBe(false);
    expect(offers(state)).toEqual([ringing]);
  });

  it("keeps the calls on the screen while it is lost, and counts the tries", () => {
    const lost: LineEvent = { type: "lost", retryAt: 5 };
    const state = stateAfter(...connection([talking], []), lost, { type: "connecting" }, lost);
    expect(state).toMatchObject({ connection: "waiting", attempt: 2, retryAt: 5 });
    expect(ownCall(state)).toEqual(talking);
  });

  it("passes over kinds of events that it does not know", () => {
    const unknown = { seq: 2, type: "quota", free: 1 } as unknown as ServerMessage;
    const state = stateAfter(
      ...connection([], []),
      message(unknown),
      message({ seq: 3, type: "call", call: ringing }),
    );
    expect(offers(state)).toEqual([ringing]);
  });

  it("forgets everything when the session ends", () => {
    const state = stateAfter(...connection([talking], []), { type: "signed_out" });
    expect(state).toEqual({ ...initialLine, connection: "signed_out" });
  });
});

describe("a call", () => {
  it("never goes back to a lower version, in any order of arrival", () => {
    const versions = [ringing, { ...talking, version: 2 }, talking];
    for (const order of permutations(versions)) {
      expect(ownCall(stateAfter(...connection([], order)))?.version).toBe(3);
    }
  });

  it("stays ended, in any order of arrival", () => {
    for (const order of permutations([ringing, talking, ended])) {
      const state = stateAfter(...connection([], order));
      expect(ownCall(state)).toBeNull();
      expect(state.live).toEqual({});
    }
  });

  it("is not brought back to life by an older snapshot", () => {
    const state = stateAfter(...connection([], [talking, ended]), ...connection([talking], []));
    expect(ownCall(state)).toBeNull();
  });

  it("keeps what a REST answer told when an older event comes after it", () => {
    const read: LineEvent = { type: "call_read", call: talking };
    const state = stateAfter(
      ...connection([ringing], []),
      read,
      message({ seq: 2, type: "call", call: { ...ringing, version: 2 } }),
    );
    expect(ownCall(state)).toEqual(talking);
  });

  it("that a newer snapshot does not list is gone", () => {
    const state = stateAfter(...connection([talking], []), ...connection([], []));
    expect(ownCall(state)).toBeNull();
  });

  it("that is held in a higher version than the snapshot's stays as it is", () => {
    const state = stateAfter(...connection([], [talking]), ...connection([ringing], []));
    expect(ownCall(state)).toEqual(talking);
  });

  it("comes back when it is offered again", () => {
    const withdrawn = callOf({ version: 2, offered_to: [] });
    const again = callOf({ version: 3 });
    expect(offers(stateAfter(...connection([ringing], [withdrawn])))).toEqual([]);
    expect(offers(stateAfter(...connection([ringing], [withdrawn, again])))).toEqual([again]);
  });

  it("answered by a colleague leaves an agent's screen but not a supervisor's", () => {
    const taken = callOf({
      version: 2,
      state: "connecting",
      agent: { id: "u2", name: "Dewi" },
      offered_to: [],
    });
    expect(stateAfter(...connection([ringing], [taken])).live).toEqual({});
    expect(stateAfter(...connection([ringing], [taken], supervisor)).live).toEqual({
      k1: taken,
    });
  });

  it("tells how it ended if it was mine, or rang at my desk", () => {
    expect(stateAfter(...connection([talking], [ended])).lastCall).toEqual(ended);
    const missed = callOf({ version: 2, state: "ended", offered_to: [], outcome: "missed" });
    expect(stateAfter(...connection([ringing], [missed])).lastCall).toEqual(missed);
    const foreign = { ...ended, agent: { id: "u2", name: "Dewi" } };
    expect(stateAfter(...connection([], [foreign], supervisor)).lastCall).toBeNull();
  });

  it("takes a later word on how it ended", () => {
    const failed = callOf({ version: 2, state: "ended", offered_to: [], outcome: "failed" });
    const missed: CallView = { ...failed, version: 3, outcome: "missed" };
    expect(stateAfter(...connection([ringing], [failed, missed])).lastCall).toEqual(missed);
    expect(stateAfter(...connection([ringing], [missed, failed])).lastCall).toEqual(missed);
  });

  it("tells which colleague took what rang here, until it rings here again", () => {
    const dewi = { id: "u2", name: "Dewi" };
    const taken = callOf({ version: 2, state: "connecting", agent: dewi, offered_to: [] });
    for (const who of [me, supervisor]) {
      expect(stateAfter(...connection([ringing], [taken], who)).lastCall).toEqual(taken);
    }
    const declined = callOf({ version: 2, offered_to: ["u2"] });
    const later = { ...taken, version: 3 };
    expect(stateAfter(...connection([ringing], [declined, later])).lastCall).toBeNull();
    const again = callOf({ version: 3 });
    expect(stateAfter(...connection([ringing], [taken, again])).lastCall).toBeNull();
  });

  it("is remembered as gone, but not more of them than the bound", () => {
    const news = Array.from({ length: TOMBSTONES_MAX + 20 }, (_, index) =>
      callOf({ id: `k${index}`, version: 2, state: "ended", offered_to: [] }),
    );
    const state = stateAfter(...connection([], news));
    expect(state.gone.size).toBe(TOMBSTONES_MAX);
    expect(state.gone.has("k0")).toBe(false);
    expect(state.gone.has(`k${TOMBSTONES_MAX + 19}`)).toBe(true);
  });
});

describe("quality", () => {
  const leg = { loss: 0, jitter_ms: 4, round_trip_ms: 30, bars: 5 };
  const quality = { agent: leg, whatsapp: { ...leg, bars: 3 } };
  const news = (call_id: string) => message({ seq: 2, type: "quality", call_id, quality });

  it("is news without a new version of the call", () => {
    const state = stateAfter(...connection([talking], []), news("k1"));
    expect(ownCall(state)).toEqual({ ...talking, quality });
  });

  it("of a call that is not here changes nothing", () => {
    expect(stateAfter(...connection([], []), news("k1")).live).toEqual({});
  });
});

describe("notices", () => {
  const notice = (seq: number, code: string) =>
    message({ seq, type: "notice", code, detail: "words" });
  const codes = (state: LineState) => state.notices.map(({ code }) => code);

  it("show once and go away with their _back", () => {
    const down = stateAfter(
      ...connection([], []),
      notice(2, "store_down"),
      notice(3, "store_down"),
      notice(4, "media_away"),
    );
    expect(codes(down)).toEqual(["store_down", "media_away"]);
    expect(codes(reduce(down, notice(5, "store_back")))).toEqual(["media_away"]);
    expect(codes(reduce(down, notice(5, "media_away_back")))).toEqual(["store_down"]);
  });

  it("of one event go when dismissed", () => {
    const told = stateAfter(...connection([], []), notice(2, "leg_gone"));
    expect(codes(reduce(told, { type: "notice_dismissed", code: "leg_gone" }))).toEqual([]);
  });

  it("belong to their connection", () => {
    const state = stateAfter(
      ...connection([], []),
      notice(2, "redis_down"),
      ...connection([], []),
    );
    expect(codes(state)).toEqual([]);
  });
});

describe("presence", () => {
  it("follows colleagues and drops those who leave", () => {
    const event = (seq: number, state: "busy" | "offline") =>
      message({ seq, type: "presence", user_id: "u2", name: "Dewi", state });
    const busy = stateAfter(...connection([], []), event(2, "busy"));
    expect(busy.presence["u2"]).toEqual({ user_id: "u2", name: "Dewi", state: "busy" });
    expect(reduce(busy, event(3, "offline")).presence["u2"]).toBeUndefined();
  });
});

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item, index) =>
    permutations(items.filter((_, other) => other !== index)).map((rest) => [item, ...rest]),
  );
}

describe("recordings and minutes", () => {
  const recording = {
    state: "recording" as const,
    reason: null,
    written_ms: 2_000,
    ends_at: null,
    duration_ms: null,
    outcome: null,
  };
  const quota = {
    at: "2026-05-04T03:00:00.000Z",
    version: 7,
    capacity_ms: 60_000,
    used_ms: 2_000,
    reserved_ms: 8_000,
    free_ms: 50_000,
    overdrawn_ms: 0,
    suspense_ms: 0,
    level: 0 as const,
    empty_at: null,
    captures: [],
  };

  it("show what a capture does, which is no new version of the call", () => {
    const news = message({ seq: 2, type: "recording", call_id: talking.id, recording });
    const state = stateAfter(...connection([talking], []), news);
    expect(ownCall(state)).toEqual({ ...talking, recording });
  });

  it("leave a call that is not here alone", () => {
    const news = message({ seq: 2, type: "recording", call_id: "k9", recording });
    expect(stateAfter(...connection([talking], []), news).live).toEqual({
      [talking.id]: talking,
    });
  });

  it("keep the latest picture of the minutes", () => {
    const late = { ...quota, at: "2026-05-04T03:00:02.000Z", used_ms: 4_000 };
    const state = stateAfter(
      ...connection([], [], supervisor),
      message({ seq: 2, type: "quota", ...late }),
      message({ seq: 3, type: "quota", ...quota }),
    );
    expect(state.quota).toEqual(late);
    expect(state.gap).toBe(false);
  });

  it("tell the highest threshold that was crossed, until it is put away", () => {
    const at = quota.at;
    const crossed = stateAfter(
      ...connection([], [], supervisor),
      message({ seq: 2, type: "quota_threshold", threshold: 80, at }),
      message({ seq: 3, type: "quota_threshold", threshold: 95, at }),
    );
    expect(crossed.notices.map(({ code }) => code)).toEqual(["quota_95"]);
    const away = reduce(crossed, { type: "notice_dismissed", code: "quota_95" });
    expect(away.notices).toEqual([]);
  });

  it("bring news of an ended call, but not back what was put away", () => {
    const kept = { ...recording, state: "kept" as const, duration_ms: 2_000 };
    const over = { ...ended, ended_at: "2026-05-04T03:05:00.000Z" };
    const saved = { ...over, version: over.version + 1, recording: kept };
    const later = message({ seq: 3, type: "call", call: saved });
    const state = stateAfter(...connection([talking], [over]), later);
    expect(state.lastCall).toEqual(saved);
    const dismissed = stateAfter(
      ...connection([talking], [over]),
      { type: "last_call_dismissed" },
      later,
    );
    expect(dismissed.lastCall).toBeNull();
  });

  it("tell what became of the last call's recording, for good", () => {
    const kept = { ...recording, state: "kept" as const, duration_ms: 2_000 };
    const compared = { ...kept, outcome: matched };
    const over = { ...ended, ended_at: "2026-05-04T03:05:00.000Z", recording: kept };
    const told = message({
      seq: 3,
      type: "recording",
      call_id: over.id,
      recording: compared,
    });
    const state = stateAfter(...connection([talking], [over]), told);
    expect(state.lastCall?.recording).toEqual(compared);
    // WhatsApp's own word on the end comes later, and knows nothing of recordings.
    const again = message({
      seq: 4,
      type: "call",
      call: { ...over, version: over.version + 1 },
    });
    expect(reduce(state, again).lastCall?.recording).toEqual(compared);
  });

  it("do not show an older call again in place of a newer one", () => {
    const first = { ...ended, ended_at: "2026-05-04T03:05:00.000Z" };
    const second = { ...ended, id: "k2", ended_at: "2026-05-04T03:09:00.000Z" };
    const saved = { ...first, version: first.version + 1 };
    const state = stateAfter(...connection([talking], [first, second, saved]));
    expect(state.lastCall).toEqual(second);
  });
});
