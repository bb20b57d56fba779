/** What to say about the recording of a call: a pure function of what the gateway said. */

import type { CallView, Recording, RecordingOutcome } from "../api/types";

/** From here on the end of the minutes is counted down, and a minute before it is urgent. */
export const LOW_MS = 300_000;
export const URGENT_MS = 60_000;

export type RecordingTone = "live" | "warn" | "bad" | "quiet" | "good";

export type RecordingText =
  | "ready"
  | "refused_no_minutes"
  | "refused_ledger_unreachable"
  | "refused_no_announcement"
  | "failed"
  | "announcing"
  | "starting"
  | "on"
  | "low"
  | "paused"
  | "stopped_quota"
  | "stopped_other"
  | "saving"
  | "kept"
  | "declined"
  | "empty"
  | "lost"
  | "deleted";

export interface RecordingShown {
  text: RecordingText;
  tone: RecordingTone;
  /** Until the minutes are used up (`low`), or how long the recording is (`kept`), in ms. */
  ms: number;
}

const plain: Partial<Record<Recording["state"], [RecordingText, RecordingTone]>> = {
  ready: ["ready", "quiet"],
  announcing: ["announcing", "quiet"],
  capturing: ["starting", "quiet"],
  paused: ["paused", "warn"],
  failed: ["failed", "bad"],
  ended: ["saving", "quiet"],
  lost: ["lost", "bad"],
  deleted: ["deleted", "quiet"],
};

const UNCHECKED = "refused_ledger_unreachable";

const refusals: Record<string, RecordingText> = {
  no_minutes: "refused_no_minutes",
  no_announcement: "refused_no_announcement",
  ledger_unreachable: UNCHECKED,
  media: "failed",
};

/** Null where nothing is to be said: the account does not record, or nothing is decided yet. */
export function recordingOf(call: CallView, serverNow: number): RecordingShown | null {
  const { recording } = call;
  if (recording === null || recording.state === "holding") return null;
  if (recording.state === "recording") return running(recording, serverNow);
  if (recording.state === "kept") {
    return { text: "kept", tone: "good", ms: recording.duration_ms ?? 0 };
  }
  if (recording.state === "stopped") {
    const isQuota = recording.reason === "quota";
    return { text: isQuota ? "stopped_quota" : "stopped_other", tone: "bad", ms: 0 };
  }
  if (recording.state === "refused") {
    return { text: refusals[recording.reason ?? ""] ?? UNCHECKED, tone: "warn", ms: 0 };
  }
  if (recording.state === "empty") {
    const isDeclined = recording.reason === "declined";
    return { text: isDeclined ? "declined" : "empty", tone: "quiet", ms: 0 };
  }
  const said = plain[recording.state];
  return said === undefined ? null : { text: said[0], tone: said[1], ms: 0 };
}

function running(recording: Recording, serverNow: number): RecordingShown {
  if (recording.ends_at === null) return { text: "on", tone: "live", ms: 0 };
  const left = Math.max(0, Date.parse(recording.ends_at) - serverNow);
  if (left > LOW_MS) return { text: "on", tone: "live", ms: 0 };
  return { text: "low", tone: left <= URGENT_MS ? "bad" : "warn", ms: left };
}

/** A verdict that was told is not untold by an older picture of the call. */
export function newerRecording(
  held: Recording | null,
  told: Recording | null,
): Recording | null {
  if (held?.outcome?.verdict && !told?.outcome?.verdict) return held;
  return told;
}

/** What became of both recordings, once they were compared. */
export function outcomeOf(call: CallView): RecordingOutcome | null {
  const outcome = call.recording?.outcome;
  return outcome?.verdict ? outcome : null;
}

/** What a person who does not look is told: once when it begins, at 5 min, at 1 min, at the stop. */
export type RecordingMark =
  | "on"
  | "five_minutes"
  | "one_minute"
  | "stopped_quota"
  | "stopped_other";

export function markOf(shown: RecordingShown | null): RecordingMark | null {
  switch (shown?.text) {
    case "on":
    case "stopped_quota":
    case "stopped_other":
      return shown.text;
    case "low":
      return shown.ms <= URGENT_MS ? "one_minute" : "five_minutes";
    default:
      return null;
  }
}
