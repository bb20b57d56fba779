/** What the phone is doing, in one word: the states that a person sees (and hears announced). */

import { offers, ownCall } from "./calls";
import type { ControlState } from "./control";
import type { LegState } from "./legKeeper";
import type { Ownership } from "./owner";
import type { LineState } from "./reducer";
import type { StationState } from "./station";

export type Status =
  | "offline"
  | "elsewhere"
  | "checking"
  | "not_ready"
  | "ready"
  | "path_lost"
  | "ringing"
  | "answering"
  | "dialling"
  | "remote_ringing"
  | "connecting"
  | "talking"
  | "held"
  | "agent_away";

export interface Everything {
  line: LineState;
  station: StationState;
  leg: LegState;
  control: ControlState;
  ownership: Ownership;
}

export function statusOf(all: Everything): Status {
  const { line, station, leg, control, ownership } = all;
  const call = ownCall(line);
  if (call !== null) return callStatus(all);
  if (line.connection !== "open") return "offline";
  if (control.pending === "answer") return "answering";
  if (control.pending === "dial") return "dialling";
  if (offers(line).length > 0) return "ringing";
  if (ownership === "elsewhere") return "elsewhere";
  if (station.phase === "checking") return "checking";
  if (station.phase === "off") return "not_ready";
  return leg.phase === "up" ? "ready" : "path_lost";
}

function callStatus({ line, control, leg }: Everything): Status {
  const call = ownCall(line);
  if (call === null) return "not_ready";
  const isHere = control.callHere === call.id;
  if (call.agent_away || (isHere && leg.phase === "replacing")) return "agent_away";
  switch (call.state) {
    case "dialling":
    case "remote_ringing":
      return call.state;
    case "talking":
      if (control.held ?? call.held) return "held";
      // "Talking" is said only once sound of the other side has arrived here.
      return isHere && control.sound === "none" ? "connecting" : "talking";
    default:
      return "connecting";
  }
}
