/** One typed function per route of the gateway; every failure is a `Refused`. */

import type {
  AgentLegCreated,
  Announcement,
  Availability,
  CallAndAnswer,
  CallPage,
  CallSettings,
  CallSettingsChange,
  CallView,
  Direction,
  Me,
  OpenPage,
  Problem,
  Quota,
  Report,
  Trace,
  Transcript,
} from "./types";

export const ROOT = "/api/v1";
const ANSWER_WITHIN_MS = 15_000;
const UPLOAD_WITHIN_MS = 90_000;

/** The gateway (or the network) said no. `code` is stable; `status` is 0 when no answer came. */
export class Refused extends Error {
  readonly status: number;
  readonly problem: Problem;

  constructor(status: number, problem: Problem) {
    super(problem.detail ?? problem.title ?? problem.code);
    this.name = "Refused";
    this.status = status;
    this.problem = problem;
  }

  get code(): string {
    return this.problem.code;
  }
}

/** Turn anything caught into a `Refused`, so that one panel can show every failure. */
export function refusalOf(error: unknown): Refused {
  if (error instanceof Refused) return error;
  return new Refused(0, { code: "unexpected", detail: String(error) });
}

let onSignedOut: () => void = () => undefined;

/** Called once by the app: what to do when the session turns out to be over. */
export function whenSignedOut(react: () => void): void {
  onSignedOut = react;
}

export interface Ask {
  body?: unknown;
  /** Sent as it is, in place of a body. */
  file?: Blob;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  keepalive?: boolean;
  /** How long an answer may take, where the ordinary time is too short. */
  withinMs?: number;
}

export async function ask<T>(method: string, path: string, how: Ask = {}): Promise<T> {
  const timeout = AbortSignal.timeout(
    how.withinMs ?? (how.file ? UPLOAD_WITHIN_MS : ANSWER_WITHIN_MS),
  );
  const init: RequestInit = {
    method,
    credentials: "same-origin",
    signal: how.signal ? AbortSignal.any([how.signal, timeout]) : timeout,
    keepalive: how.keepalive ?? false,
    headers: { accept: "application/json, application/problem+json", ...how.headers },
  };
  if (how.body !== undefined) {
    init.body = JSON.stringify(how.body);
    init.headers = { ...init.headers, "content-type": "application/json" };
  }
  if (how.file !== undefined) {
    init.body = how.file;
    init.headers = { ...init.headers, "content-type": "application/octet-stream" };
  }
  const response = await fetch(ROOT + path, init).catch((error: unknown) => {
    if (how.signal?.aborted) throw error;
    const code = timeout.aborted ? "no_answer_in_time" : "unreachable";
    throw new Refused(0, { code, detail: String(error) });
  });
  if (response.ok) {
    return (response.status === 204 ? undefined : await response.json()) as T;
  }
  const refused = new Refused(response.status, await problemIn(response));
  if (refused.status === 401 && path !== "/login") onSignedOut();
  throw refused;
}

export async function problemIn(response: Response): Promise<Problem> {
  const body: unknown = await response.json().catch(() => null);
  if (body !== null && typeof body === "object" && "code" in body) return body as Problem;
  const code = response.status >= 500 ? "server_error" : "unexpected";
  return { code, detail: `${response.status} ${response.statusText}`, status: response.status };
}

const call = (id: string): string => `/calls/${encodeURIComponent(id)}`;

export interface CallListQuery {
  cursor?: string | undefined;
  limit?: number | undefined;
  direction?: Direction | undefined;
  live?: boolean | undefined;
}

export interface OpenListQuery {
  cursor?: string | undefined;
  limit?: number | undefined;
  at_risk?: boolean | undefined;
}

export interface ReportQuery {
  until?: string | undefined;
  days?: number | undefined;
}

export function queryString(query: object): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== false) params.set(name, String(value));
  }
  const text = params.toString();
  return text === "" ? "" : `?${text}`;
}

export interface DialTarget {
  phone?: string;
  user_id?: string;
}

export const api = {
  login: (email: string, password: string) =>
    ask<Me>("POST", "/login", { body: { email, password } }),
  logout: () => ask<void>("POST", "/logout"),
  me: (signal?: AbortSignal) => ask<Me>("GET", "/me", { signal }),
  setAvailability: (availability: Availability, keepalive = false) =>
    ask<void>("PUT", "/me/availability", { body: { availability }, keepalive }),

  createLeg: (offer: string, signal?: AbortSignal) =>
    ask<AgentLegCreated>("POST", "/agent-legs", { body: { offer }, signal }),
  deleteLeg: (legId: string, keepalive = false) =>
    ask<void>("DELETE", `/agent-legs/${encodeURIComponent(legId)}`, { keepalive }),

  calls: (query: CallListQuery, signal?: AbortSignal) =>
    ask<CallPage>("GET", `/calls${queryString(query)}`, { signal }),
  call: (id: string, signal?: AbortSignal) => ask<CallView>("GET", call(id), { signal }),
  trace: (id: string, signal?: AbortSignal) =>
    ask<Trace>("GET", `${call(id)}/trace`, { signal }),

  transcript: (id: string, signal?: AbortSignal) =>
    ask<Transcript>("GET", `${call(id)}/transcript`, { signal }),

  /** For supervisors and admins, as all below that is no call. */
  openRecordings: (query: OpenListQuery, signal?: AbortSignal) =>
    ask<OpenPage>("GET", `/recordings/open${queryString(query)}`, { signal }),
  reconciliation: (query: ReportQuery, signal?: AbortSignal) =>
    ask<Report>("GET", `/recordings/reconciliation${queryString(query)}`, { signal }),
  /** Where the browser fetches the same as a table. */
  reconciliationTable: (query: ReportQuery) =>
    `${ROOT}/recordings/reconciliation.csv${queryString(query)}`,
  callSettings: (signal?: AbortSignal) =>
    ask<CallSettings>("GET", "/settings/calls", { signal }),
  changeCallSettings: (body: CallSettingsChange) =>
    ask<CallSettings>("PUT", "/settings/calls", { body }),
  uploadAnnouncement: (file: Blob) =>
    ask<Announcement>("PUT", "/settings/calls/announcement", { file }),
  removeAnnouncement: () => ask<void>("DELETE", "/settings/calls/announcement"),
  /** Where the browser hears it. */
  announcementSound: `${ROOT}/settings/calls/announcement`,
  quota: (signal?: AbortSignal) => ask<Quota>("GET", "/quota", { signal }),

  /** `key` makes a repeated request harmless: the same key never dials twice. */
  dial: (to: DialTarget, numberId: string | undefined, legId: string, key: string) =>
    ask<CallAndAnswer>("POST", "/calls", {
      body: { to, leg_id: legId, ...(numberId === undefined ? {} : { number_id: numberId }) },
      headers: { "Idempotency-Key": key },
    }),
  answer: (id: string, legId: string) =>
    ask<CallAndAnswer>("POST", `${call(id)}/answer`, { body: { leg_id: legId } }),
  reattach: (id: string, legId: string) =>
    ask<CallAndAnswer>("POST", `${call(id)}/reattach`, { body: { leg_id: legId } }),
  decline: (id: string, everyone: boolean) =>
    ask<void>("POST", `${call(id)}/decline`, { body: { everyone } }),
  hangUp: (id: string) => ask<void>("POST", `${call(id)}/hangup`, { body: {} }),
  mute: (id: string, muted: boolean) =>
    ask<void>("POST", `${call(id)}/mute`, { body: { muted } }),
  hold: (id: string, held: boolean) =>
    ask<void>("POST", `${call(id)}/hold`, { body: { held } }),
};
