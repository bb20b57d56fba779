import { describe, expect, it } from "vitest";
import type { CallView, Recording } from "../api/types";
import { markOf, outcomeOf, recordingOf } from "./recording";
import { callOf, matched } from "./testing";

const NOW = Date.parse("2026-05-04T03:00:00.000Z");

function recorded(part: Partial<Recording>): CallView {
  const recording: Recording = {
    state: "recording",
    reason: null,
    written_ms: 0,
    ends_at: null,
    duration_ms: null,
    outcome: null,
    ...part,
  };
  return callOf({ recording });
}

const inMs = (ms: number): string => new Date(NOW + ms).toISOString();
const text = (part: Partial<Recording>) => recordingOf(recorded(part), NOW)?.text;

describe("what is said of a recording", () => {
  it("is nothing where the account does not record, or nothing is decided", () => {
    expect(recordingOf(callOf(), NOW)).toBeNull();
    expect(text({ state: "holding" })).toBeUndefined();
  });

  it("never says recording before it is, nor after it stopped", () => {
    expect(text({ state: "ready" })).toBe("ready");
    expect(text({ state: "capturing" })).toBe("starting");
    expect(text({ state: "recording" })).toBe("on");
    expect(text({ state: "paused" })).toBe("paused");
    expect(text({ state: "stopped", reason: "quota" })).toBe("stopped_quota");
    expect(text({ state: "stopped", reason: "disk_full" })).toBe("stopped_other");
  });

  it("says why a call is not recorded", () => {
    expect(text({ state: "refused", reason: "no_minutes" })).toBe("refused_no_minutes");
    const reason = "ledger_unreachable";
    expect(text({ state: "refused", reason })).toBe("refused_ledger_unreachable");
    expect(text({ state: "failed", reason: "media" })).toBe("failed");
    expect(text({ state: "refused", reason: "media" })).toBe("failed");
  });

  it("counts down within five minutes of the end, urgently in the last one", () => {
    expect(text({ ends_at: inMs(300_001) })).toBe("on");
    const low = recordingOf(recorded({ ends_at: inMs(299_000) }), NOW);
    expect(low).toEqual({ text: "low", tone: "warn", ms: 299_000 });
    expect(recordingOf(recorded({ ends_at: inMs(60_000) }), NOW)?.tone).toBe("bad");
    expect(recordingOf(recorded({ ends_at: inMs(-5_000) }), NOW)?.ms).toBe(0);
  });

  it("tells after the call what was kept", () => {
    expect(text({ state: "ended" })).toBe("saving");
    expect(recordingOf(recorded({ state: "kept", duration_ms: 61_500 }), NOW)).toEqual({
      text: "kept",
      tone: "good",
      ms: 61_500,
    });
    expect(text({ state: "empty" })).toBe("empty");
    expect(text({ state: "lost" })).toBe("lost");
    expect(text({ state: "deleted" })).toBe("deleted");
  });

  it("says that the announcement is spoken, and that a call ended during it", () => {
    expect(text({ state: "announcing" })).toBe("announcing");
    expect(text({ state: "empty", reason: "declined" })).toBe("declined");
    const reason = "no_announcement";
    expect(text({ state: "refused", reason })).toBe("refused_no_announcement");
  });

  it("knows an outcome only once both were compared", () => {
    expect(outcomeOf(callOf())).toBeNull();
    expect(outcomeOf(recorded({ outcome: { ...matched, verdict: null } }))).toBeNull();
    expect(outcomeOf(recorded({ outcome: matched }))).toEqual(matched);
  });
});

describe("what is said aloud", () => {
  const mark = (part: Partial<Recording>) => markOf(recordingOf(recorded(part), NOW));

  it("is each threshold of the countdown, and the stop", () => {
    expect(mark({})).toBe("on");
    expect(mark({ ends_at: inMs(240_000) })).toBe("five_minutes");
    expect(mark({ ends_at: inMs(239_000) })).toBe("five_minutes");
    expect(mark({ ends_at: inMs(59_000) })).toBe("one_minute");
    expect(mark({ state: "stopped", reason: "quota" })).toBe("stopped_quota");
    expect(mark({ state: "ready" })).toBeNull();
    expect(markOf(null)).toBeNull();
  });
});
