import { describe, expect, it } from "vitest";
import { backoffMs } from "./backoff";
import { isSamePeer, offers, ownCall, talkedMs } from "./calls";
import { deedOf } from "./keys";
import { faultOf } from "./microphone";
import { defaultPreferences, parsePreferences } from "./preferences";
import { allWaiting, CheckFailed, failureIn, withCheck } from "./preflight";
import { barsOf, complaintOf, opinionScore } from "./quality";
import { initialLine } from "./reducer";
import { isSpeech, meterOf, withLevel } from "./speech";
import { callOf, me, mine } from "./testing";

describe("back-off", () => {
  it("grows to a bound and is spread by half", () => {
    expect(backoffMs(1, 0)).toBe(250);
    expect(backoffMs(1, 0.999)).toBeLessThanOrEqual(500);
    expect(backoffMs(4, 0.5)).toBe(3_000);
    for (const attempt of [10, 100, 1_000]) {
      expect(backoffMs(attempt, 0.999)).toBeLessThanOrEqual(10_000);
      expect(backoffMs(attempt, 0)).toBe(5_000);
    }
  });
});

describe("calls", () => {
  const line = { ...initialLine, me };

  it("ring at my desk oldest first", () => {
    const young = callOf({ id: "a", created_at: "2026-05-04T03:00:09.000Z" });
    const old = callOf({ id: "b" });
    const foreign = callOf({ id: "c", offered_to: ["u2"] });
    expect(offers({ ...line, live: { a: young, b: old, c: foreign } })).toEqual([old, young]);
  });

  it("are mine by the agent's id", () => {
    const call = callOf({ state: "talking", agent: mine });
    expect(ownCall({ ...line, live: { k1: call } })).toBe(call);
    expect(ownCall({ ...line, live: { k1: callOf() } })).toBeNull();
  });

  it("count from the pick-up to the end, by the server's clock", () => {
    const answered_at = "2026-05-04T03:00:05.000Z";
    const now = Date.parse("2026-05-04T03:01:05.500Z");
    expect(talkedMs(callOf(), now)).toBeNull();
    expect(talkedMs(callOf({ answered_at }), now)).toBe(60_500);
    expect(talkedMs(callOf({ answered_at, ended_at: "2026-05-04T03:00:15Z" }), now)).toBe(
      10_000,
    );
    expect(talkedMs(callOf({ answered_at }), Date.parse(answered_at) - 500)).toBe(0);
  });

  it("are with the same person by user id, else by phone, never by nothing", () => {
    expect(isSamePeer({ user_id: "ID.1", phone: "1" }, { user_id: "ID.1", phone: "2" })).toBe(
      true,
    );
    expect(isSamePeer({ user_id: "ID.1", phone: "1" }, { user_id: "ID.2", phone: "1" })).toBe(
      false,
    );
    expect(isSamePeer({ phone: "1" }, { user_id: "ID.2", phone: "1" })).toBe(true);
    expect(isSamePeer({}, {})).toBe(false);
    expect(isSamePeer({ name: "Budi" }, { name: "Budi" })).toBe(false);
  });
});

describe("shortcut keys", () => {
  const press = { ctrlKey: false, altKey: false, metaKey: false, repeat: false, target: null };
  const within = (tag: string) =>
    ({ closest: (list: string) => (list.includes(tag) ? {} : null) }) as unknown as EventTarget;

  it("mean the same in both cases", () => {
    expect(deedOf({ ...press, key: "a" })).toBe("answer");
    expect(deedOf({ ...press, key: "M" })).toBe("mute");
    expect(deedOf({ ...press, key: "?" })).toBe("help");
    expect(deedOf({ ...press, key: "x" })).toBeNull();
  });

  it("rest while a person types, holds a key, or uses the browser's own", () => {
    expect(deedOf({ ...press, key: "a", target: within("input") })).toBeNull();
    expect(deedOf({ ...press, key: "a", target: within("role=dialog") })).toBeNull();
    expect(deedOf({ ...press, key: "a", target: within("nothing") })).toBe("answer");
    expect(deedOf({ ...press, key: "a", ctrlKey: true })).toBeNull();
    expect(deedOf({ ...press, key: "a", metaKey: true })).toBeNull();
    expect(deedOf({ ...press, key: "a", altKey: true })).toBeNull();
    expect(deedOf({ ...press, key: "a", repeat: true })).toBeNull();
  });
});

describe("preferences", () => {
  it("survive whatever storage holds", () => {
    for (const text of [null, "", "null", "7", "[]", "{broken"]) {
      expect(parsePreferences(text)).toEqual(defaultPreferences);
    }
  });

  it("keep what is known and of the right type", () => {
    const kept = parsePreferences(
      JSON.stringify({ microphone: "m1", speaker: 3, noiseSuppression: false, gain: 1 }),
    );
    expect(kept).toEqual({ ...defaultPreferences, microphone: "m1", noiseSuppression: false });
  });
});

describe("the pre-flight", () => {
  it("says what each refusal of the browser means", () => {
    expect(faultOf("NotAllowedError")).toBe("refused");
    expect(faultOf("NotFoundError")).toBe("no_device");
    expect(faultOf("NotReadableError")).toBe("in_use");
    expect(faultOf("TypeError")).toBe("unusable");
  });

  it("marks the check that failed and leaves the others", () => {
    const { id, ...result } = failureIn("level", new CheckFailed("silent"));
    const checks = withCheck(allWaiting, id, result);
    expect(checks.filter((check) => check.state === "failed")).toEqual([
      { id: "level", state: "failed", reason: "silent", refused: null },
    ]);
    expect(allWaiting.every((check) => check.state === "waiting")).toBe(true);
  });
});

describe("quality", () => {
  const good = { loss: 0, jitterMs: 3, roundTripMs: 40 };

  it("gives five bars on a good line and one on a bad one", () => {
    expect(barsOf(good)).toBe(5);
    expect(barsOf({ ...good, loss: 0.3 })).toBe(1);
    expect(barsOf({ ...good, roundTripMs: 1500 })).toBeLessThanOrEqual(2);
  });

  it("never gets better when something gets worse", () => {
    let before = opinionScore(good);
    for (const loss of [0.01, 0.03, 0.06, 0.1, 0.2, 0.5, 1]) {
      const now = opinionScore({ ...good, loss });
      expect(now).toBeLessThanOrEqual(before);
      before = now;
    }
    expect(before).toBeGreaterThanOrEqual(1);
  });

  const leg = { loss: null, jitter_ms: null, round_trip_ms: null };

  it("names the reason only when there is something to complain about", () => {
    expect(complaintOf({ ...leg, bars: 5, loss: 0.5 })).toBeNull();
    expect(complaintOf({ ...leg, bars: 2, loss: 0.06, jitter_ms: 90 })).toBe("loss");
    expect(complaintOf({ ...leg, bars: 3, jitter_ms: 60 })).toBe("jitter");
    expect(complaintOf({ ...leg, bars: 3, round_trip_ms: 700 })).toBe("delay");
  });
});

describe("the microphone's level", () => {
  it("is speech when loud for a while, not after a knock", () => {
    const loud = (count: number) =>
      Array.from({ length: 10 }, (_, index) => (index < count ? -20 : -70)).reduce(
        (levels, level) => withLevel(levels, level),
        [] as readonly number[],
      );
    expect(isSpeech(loud(1))).toBe(false);
    expect(isSpeech(loud(5))).toBe(true);
    expect(isSpeech([])).toBe(false);
  });

  it("fills a meter between silence and full scale", () => {
    expect(meterOf(-100)).toBe(0);
    expect(meterOf(0)).toBe(1);
    expect(meterOf(-33)).toBeCloseTo(0.5);
  });
});
