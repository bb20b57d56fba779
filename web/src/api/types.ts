/** What the gateway says and takes, as the browser sees it (REST and WebSocket, version 1). */

export type Role = "agent" | "supervisor" | "admin";
export type Availability = "available" | "away";
export type Direction = "inbound" | "outbound";
export type CallState =
  | "ringing"
  | "connecting"
  | "dialling"
  | "remote_ringing"
  | "talking"
  | "ended";
export type Outcome =
  | "completed"
  | "missed"
  | "declined"
  | "rejected"
  | "unanswered"
  | "cancelled"
  | "failed";
export type PresenceState = "offline" | "available" | "away" | "ringing" | "busy";

export interface BusinessNumber {
  id: string;
  display: string;
}

export interface Me {
  user: { id: string; name: string; email: string; role: Role };
  account: { cid: string; name: string; timezone: string };
  numbers: BusinessNumber[];
  availability: Availability;
  rtc: { ice_servers: RTCIceServer[] };
  limits: { reattach_s: number };
  version: string;
}

export interface Peer {
  name?: string | null;
  /** Digits of the international number, without a plus. */
  phone?: string | null;
  /** Business-scoped user id: the only thing known of people who hide their number. */
  user_id?: string | null;
  username?: string | null;
}

export interface MetaFault {
  code: number;
  message?: string | null;
  details?: string | null;
}

export interface CallProblem {
  code: string;
  detail: string;
  meta?: MetaFault | null;
}

/** Measured on one leg; absent figures are not known (yet). */
export interface LegQuality {
  loss?: number | null;
  jitter_ms?: number | null;
  round_trip_ms?: number | null;
  /** 1 (bad) to 5 (good). */
  bars: number;
}

export interface CallView {
  id: string;
  version: number;
  direction: Direction;
  state: CallState;
  peer: Peer;
  number: BusinessNumber;
  agent: { id: string; name: string } | null;
  /** Who is asked to answer, while an inbound call rings. */
  offered_to: string[];
  created_at: string;
  answered_at?: string | null;
  ended_at?: string | null;
  muted: boolean;
  held: boolean;
  /** The agent's leg is lost; it may be re-attached until `reattach_until`. */
  agent_away: boolean;
  reattach_until?: string | null;
  outcome: Outcome | null;
  problem: CallProblem | null;
  quality: { agent: LegQuality | null; whatsapp: LegQuality | null } | null;
}

export interface CallPage {
  items: CallView[];
  next_cursor: string | null;
}

export interface TraceLine {
  at: string;
  offset_ms: number;
  source: string;
  step: string;
  fields: Record<string, unknown>;
}

export interface Trace {
  lines: TraceLine[];
}

/** A leg is named by id (one that is up already) or made from an offer. */
export interface CallAndAnswer {
  call: CallView;
  answer?: string | null;
}

export interface AgentLegCreated {
  leg_id: string;
  answer: string;
}

/** RFC 9457 problem details with our stable `code`. */
export interface Problem {
  title?: string;
  status?: number;
  detail?: string;
  code: string;
  field?: string | null;
  meta?: MetaFault | null;
}

export interface Presence {
  user_id: string;
  name: string;
  state: PresenceState;
}

/** Server to browser, numbered from 1 within one connection. */
export type ServerMessage =
  | {
      seq: number;
      type: "snapshot";
      at: string;
      me: Me;
      calls: CallView[];
      presence: Presence[];
    }
  | { seq: number; type: "call"; call: CallView }
  | ({ seq: number; type: "presence" } & Presence)
  | { seq: number; type: "notice"; code: string; detail: string };
