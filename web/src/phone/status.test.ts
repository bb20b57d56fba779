import { describe, expect, it } from "vitest";
import type { CallView } from "../api/types";
import { initialLine, type LineState } from "./reducer";
import { type Everything, statusOf } from "./status";
import { callOf, me, mine } from "./testing";

const idle: Everything = {
  line: { ...initialLine, me, connection: "open" },
  station: {
    phase: "ready",
    checks: null,
    canSound: true,
    microphone: "Headset",
    deviceChange: null,
  },
  leg: { phase: "up", failure: null },
  control: {
    pending: null,
    pendingCallId: null,
    failure: null,
    muted: null,
    held: null,
    sound: "none",
    soundWaitMs: 0,
    quality: null,
    isTalkingWhileMuted: false,
    callHere: null,
  },
  ownership: "here",
};

function withCall(part: Partial<CallView>, line: LineState = idle.line): Everything {
  const call = callOf({ agent: mine, offered_to: [], ...part });
  return {
    ...idle,
    line: { ...line, live: { k1: call } },
    control: { ...idle.control, callHere: "k1" },
  };
}

describe("the status of the phone", () => {
  it("is ready only with a leg that is up", () => {
    expect(statusOf(idle)).toBe("ready");
    expect(statusOf({ ...idle, leg: { phase: "replacing", failure: null } })).toBe("path_lost");
    expect(statusOf({ ...idle, station: { ...idle.station, phase: "off" } })).toBe("not_ready");
  });

  it("is offline without the gateway, unless a call goes on", () => {
    const line = { ...idle.line, connection: "waiting" as const };
    expect(statusOf({ ...idle, line })).toBe("offline");
    const call = withCall({ state: "talking" }, line);
    expect(statusOf({ ...call, control: { ...call.control, sound: "arriving" } })).toBe(
      "talking",
    );
  });

  it("is talking only once sound of the other side has arrived", () => {
    const call = withCall({ state: "talking" });
    expect(statusOf(call)).toBe("connecting");
    expect(statusOf({ ...call, control: { ...call.control, sound: "arriving" } })).toBe(
      "talking",
    );
    expect(statusOf({ ...call, control: { ...call.control, sound: "stalled" } })).toBe(
      "talking",
    );
  });

  it("is talking in a mirror, which has no sound of its own", () => {
    const call = withCall({ state: "talking" });
    expect(statusOf({ ...call, control: { ...call.control, callHere: null } })).toBe("talking");
  });

  it("tells that the agent's sound is being reconnected", () => {
    expect(statusOf(withCall({ state: "talking", agent_away: true }))).toBe("agent_away");
    const call = withCall({ state: "talking" });
    expect(statusOf({ ...call, leg: { phase: "replacing", failure: null } })).toBe(
      "agent_away",
    );
  });

  it("shows what was asked for before the gateway confirms", () => {
    expect(statusOf({ ...idle, control: { ...idle.control, pending: "dial" } })).toBe(
      "dialling",
    );
    const held = withCall({ state: "talking" });
    expect(statusOf({ ...held, control: { ...held.control, held: true } })).toBe("held");
  });

  it("rings in every tab", () => {
    const line = { ...idle.line, live: { k1: callOf() } };
    expect(statusOf({ ...idle, line })).toBe("ringing");
    expect(statusOf({ ...idle, line, ownership: "elsewhere" })).toBe("ringing");
    expect(statusOf({ ...idle, ownership: "elsewhere" })).toBe("elsewhere");
  });
});
