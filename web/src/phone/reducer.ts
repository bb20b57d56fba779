/**
 * What this browser knows of the account's live calls: a pure function of what the gateway said.
 *
 * A connection starts with a snapshot, then numbered events follow. A gap in the numbers means
 * that something was missed: `gap` is set and the connection must be made anew. A call never goes
 * back to a lower version, whichever way the older news came (event, snapshot or REST answer).
 */

import type {
  CallView,
  Me,
  Presence,
  QualityMessage,
  Quota,
  RecordingMessage,
  ServerMessage,
} from "../api/types";
import { newerOf } from "../minutes/quota";
import { newerRecording } from "./recording";

/** How many ended calls are remembered, so that late news cannot bring them back to life. */
export const TOMBSTONES_MAX = 100;

/** Number of the event that brought it, within its connection. */
export interface Notice {
  seq: number;
  code: string;
  detail: string;
}

export type Connection = "connecting" | "open" | "waiting" | "signed_out";

export interface LineState {
  connection: Connection;
  /** Number of the last event of this connection; 0 before its snapshot. */
  seq: number;
  /** An event is missing: this connection is of no use any more. */
  gap: boolean;
  /** Tries since the connection was last open. */
  attempt: number;
  /** Wall clock of this browser at which the next try comes, while waiting. */
  retryAt: number | null;
  /** Server's clock minus ours, in ms. */
  clockOffsetMs: number;
  me: Me | null;
  /** Calls that the viewer has to do with and that have not ended. */
  live: Readonly<Record<string, CallView>>;
  /** The newest call that left this desk, to tell what became of it: ended, or a colleague's. */
  lastCall: CallView | null;
  /** The call whose end was read and put away; its recording may still bring news of it. */
  dismissedCall: string | null;
  /** Versions of calls that left the live list, oldest first. */
  gone: ReadonlyMap<string, number>;
  presence: Readonly<Record<string, Presence>>;
  notices: readonly Notice[];
  /** How the recording minutes stand; supervisors and admins are told. */
  quota: Quota | null;
}

export type LineEvent =
  | { type: "connecting" }
  | { type: "message"; message: ServerMessage; receivedAt: number }
  | { type: "lost"; retryAt: number }
  | { type: "signed_out" }
  | { type: "call_read"; call: CallView }
  | { type: "me_read"; me: Me }
  | { type: "last_call_dismissed" }
  | { type: "notice_dismissed"; code: string };

export const initialLine: LineState = {
  connection: "connecting",
  seq: 0,
  gap: false,
  attempt: 0,
  retryAt: null,
  clockOffsetMs: 0,
  me: null,
  live: {},
  lastCall: null,
  dismissedCall: null,
  gone: new Map(),
  presence: {},
  notices: [],
  quota: null,
};

export function reduce(state: LineState, event: LineEvent): LineState {
  switch (event.type) {
    case "connecting":
      return { ...state, connection: "connecting", seq: 0, gap: false, retryAt: null };
    case "lost":
      return {
        ...state,
        connection: "waiting",
        attempt: state.attempt + 1,
        retryAt: event.retryAt,
      };
    case "signed_out":
      return { ...initialLine, connection: "signed_out" };
    case "call_read":
      return withCall(state, event.call);
    case "me_read":
      return { ...state, connection: "connecting", me: event.me };
    case "last_call_dismissed":
      return { ...state, lastCall: null, dismissedCall: state.lastCall?.id ?? null };
    case "notice_dismissed":
      return { ...state, notices: state.notices.filter(({ code }) => code !== event.code) };
    case "message":
      return onMessage(state, event.message, event.receivedAt);
  }
}

function onMessage(state: LineState, message: ServerMessage, receivedAt: number): LineState {
  if (state.gap || message.seq <= state.seq) return state;
  const isFirst = state.seq === 0;
  if (message.seq !== state.seq + 1 || isFirst !== (message.type === "snapshot")) {
    return { ...state, gap: true };
  }
  const numbered = { ...state, seq: message.seq };
  switch (message.type) {
    case "snapshot":
      return onSnapshot(numbered, message, receivedAt);
    case "call":
      return withCall(numbered, message.call);
    case "presence":
      return withPresence(numbered, message);
    case "notice":
      return { ...numbered, notices: withNotice(state.notices, message) };
    case "quality":
      return withQuality(numbered, message);
    case "recording":
      return withRecording(numbered, message);
    case "quota": {
      const { seq: _seq, type: _type, ...quota } = message;
      return { ...numbered, quota: newerOf(quota, state.quota) };
    }
    case "quota_threshold":
      return withThreshold(numbered, message.threshold);
    default:
      // A newer gateway may say things that this page does not know: numbered, and let be.
      return numbered;
  }
}

function onSnapshot(
  state: LineState,
  snapshot: Extract<ServerMessage, { type: "snapshot" }>,
  receivedAt: number,
): LineState {
  const listed = new Set(snapshot.calls.map((call) => call.id));
  const unlisted = Object.values(state.live).filter((call) => !listed.has(call.id));
  const fresh: LineState = {
    ...state,
    connection: "open",
    attempt: 0,
    retryAt: null,
    clockOffsetMs: Date.parse(snapshot.at) - receivedAt,
    me: snapshot.me,
    live: without(state.live, unlisted),
    // Ended while we were away, or no longer ours to see. Their version stays what we held: the
    // end itself, should it still come, is a higher one.
    gone: remembered(state.gone, unlisted),
    presence: Object.fromEntries(snapshot.presence.map((person) => [person.user_id, person])),
    notices: [],
  };
  return snapshot.calls.reduce(withCall, fresh);
}

function withCall(state: LineState, call: CallView): LineState {
  const held = state.live[call.id];
  const goneVersion = state.gone.get(call.id);
  if (held !== undefined && call.version <= held.version) return state;
  if (goneVersion !== undefined && call.version <= goneVersion) return state;
  if (call.state !== "ended" && concerns(call, state.me)) {
    const gone = new Map(state.gone);
    gone.delete(call.id);
    return {
      ...state,
      gone,
      live: { ...state.live, [call.id]: call },
      lastCall: lastCallAfter(state, held, call),
    };
  }
  return {
    ...state,
    live: without(state.live, [call]),
    gone: remembered(state.gone, [call]),
    lastCall: lastCallAfter(state, held, call),
  };
}

function withQuality(state: LineState, { call_id, quality }: QualityMessage): LineState {
  const call = state.live[call_id];
  if (call === undefined) return state;
  return { ...state, live: { ...state.live, [call_id]: { ...call, quality } } };
}

function withRecording(state: LineState, { call_id, recording }: RecordingMessage): LineState {
  const call = state.live[call_id];
  if (call !== undefined) {
    return { ...state, live: { ...state.live, [call_id]: { ...call, recording } } };
  }
  // What became of it is known only after the end.
  if (state.lastCall?.id !== call_id) return state;
  return { ...state, lastCall: { ...state.lastCall, recording } };
}

/** The highest threshold says all that lower ones did. */
function withThreshold(state: LineState, threshold: number): LineState {
  const others = state.notices.filter(({ code }) => !code.startsWith("quota_"));
  const notice = { seq: state.seq, code: `quota_${threshold}`, detail: "" };
  return { ...state, notices: [...others, notice] };
}

/** Agents see calls offered to them and their own; supervisors and admins see all. */
function concerns(call: CallView, me: Me | null): boolean {
  if (me === null || me.user.role !== "agent") return true;
  return call.agent?.id === me.user.id || call.offered_to.includes(me.user.id);
}

function lastCallAfter(
  { lastCall, dismissedCall, me }: LineState,
  held: CallView | undefined,
  call: CallView,
): CallView | null {
  // The recording of a call is made after its end: news of what was put away, or of an older one.
  const isOlder = (call.ended_at ?? "") < (lastCall?.ended_at ?? "");
  if (call.state === "ended" && (call.id === dismissedCall || isOlder)) return lastCall;
  if (me !== null && isToldAbout(call, held, me.user.id)) {
    if (lastCall?.id !== call.id) return call;
    return { ...call, recording: newerRecording(lastCall.recording, call.recording) };
  }
  if (lastCall?.id !== call.id) return lastCall;
  // It rings here again: nothing became of it yet.
  if (call.state === "ringing") return null;
  // WhatsApp's own word on how it ended may come after the end.
  if (lastCall.state !== "ended") return lastCall;
  return { ...call, recording: newerRecording(lastCall.recording, call.recording) };
}

/** Worth a word: the end of my own calls, and what became of those that rang at my desk. */
function isToldAbout(call: CallView, held: CallView | undefined, me: string): boolean {
  const rangHere = held?.state === "ringing" && held.offered_to.includes(me);
  const isMine = call.agent?.id === me || held?.agent?.id === me;
  if (call.state === "ended") return isMine || rangHere;
  return rangHere && call.agent !== null && !isMine;
}

function without(
  live: Readonly<Record<string, CallView>>,
  calls: readonly CallView[],
): Readonly<Record<string, CallView>> {
  if (calls.length === 0) return live;
  const left = { ...live };
  for (const call of calls) delete left[call.id];
  return left;
}

function remembered(
  gone: ReadonlyMap<string, number>,
  calls: readonly CallView[],
): ReadonlyMap<string, number> {
  if (calls.length === 0) return gone;
  const longer = new Map(gone);
  for (const call of calls) {
    longer.delete(call.id);
    longer.set(call.id, call.version);
  }
  const surplus = Math.max(0, longer.size - TOMBSTONES_MAX);
  for (const id of [...longer.keys()].slice(0, surplus)) longer.delete(id);
  return longer;
}

function withPresence(state: LineState, person: Presence): LineState {
  const { user_id, name, state: presence } = person;
  if (presence === "offline") {
    const { [user_id]: _left, ...others } = state.presence;
    return { ...state, presence: others };
  }
  return {
    ...state,
    presence: { ...state.presence, [user_id]: { user_id, name, state: presence } },
  };
}

/** `store_back` takes `store_down` away; any other code is added once. */
function withNotice(notices: readonly Notice[], notice: Notice): readonly Notice[] {
  const others = notices.filter((held) => held.code !== notice.code);
  if (!notice.code.endsWith("_back")) {
    return [...others, { seq: notice.seq, code: notice.code, detail: notice.detail }];
  }
  const subject = notice.code.slice(0, -"_back".length);
  return others.filter((held) => held.code !== subject && !held.code.startsWith(`${subject}_`));
}
