/**
 * What the gateway says and takes, under short names. The shapes come from its OpenAPI document
 * (`npm run types`); by hand only what that document cannot say.
 */

import type { components } from "./schema";

type Schemas = components["schemas"];

export type Me = Schemas["Me"];
export type CallView = Schemas["CallView"];
export type CallPage = Schemas["CallPage"];
export type CallAndAnswer = Schemas["CallTaken"];
export type AgentLegCreated = Schemas["LegOpened"];
export type Trace = Schemas["TraceView"];
export type TraceLine = Schemas["TraceLineView"];
export type Presence = Schemas["PresenceView"];
export type LegQuality = Schemas["LegQualityView"];
export type Availability = Me["availability"];
export type Direction = CallView["direction"];
export type Outcome = NonNullable<CallView["outcome"]>;
export type PresenceState = Presence["state"];
export type Recording = NonNullable<CallView["recording"]>;
export type RecordingOutcome = NonNullable<Recording["outcome"]>;
export type Verdict = NonNullable<RecordingOutcome["verdict"]>;
export type Transcript = Schemas["TranscriptView"];
export type OpenPage = Schemas["OpenPage"];
export type OpenRecording = Schemas["OpenRecordingView"];
export type Report = Schemas["ReportView"];
export type ReportDay = Schemas["ReportDay"];
export type RecordingMessage = Schemas["RecordingMessage"];
export type CallSettings = Schemas["CallSettingsView"];
export type CallSettingsChange = Schemas["CallSettingsChange"];
export type Announcement = Schemas["AnnouncementView"];
export type Quota = Schemas["QuotaView"];
export type QuotaMessage = Schemas["QuotaMessage"];
export type QualityMessage = Schemas["QualityMessage"];

/** Any subset is possible: some people hide their number, some have no name. */
export type Peer = Partial<Schemas["PeerView"]>;

/** What Meta said when it refused. */
export interface MetaFault {
  code: number;
  message?: string | null;
  details?: string | null;
}

/** RFC 9457 problem details with our stable `code`; only that is certain. */
export interface Problem {
  title?: string;
  status?: number;
  detail?: string;
  code: string;
  field?: string | null;
  meta?: MetaFault | null;
}

/** Server to browser, numbered from 1 within one connection. */
export type ServerMessage =
  | Schemas["SnapshotMessage"]
  | Schemas["CallMessage"]
  | Schemas["PresenceMessage"]
  | Schemas["NoticeMessage"]
  | Schemas["QualityMessage"]
  | Schemas["RecordingMessage"]
  | Schemas["QuotaMessage"]
  | Schemas["ThresholdMessage"];
