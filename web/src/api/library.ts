/** The recordings of the account: one function per route, and addresses that browsers open. */

import { archive } from "./archive";
import { ask, queryString, ROOT } from "./client";
import type { components } from "./schema";
import type { Direction } from "./types";

type Schemas = components["schemas"];

export type RecordingItem = Schemas["RecordingItem"];
export type RecordingDetail = Schemas["RecordingDetail"];
export type RecordingPage = Schemas["RecordingPage"];
export type Peaks = Schemas["PeaksView"];
export type Deleted = Schemas["Deleted"];
export type Verdict = NonNullable<RecordingItem["verdict"]>;
export type Usage = Schemas["UsageView"];
export type Ledger = Schemas["LedgerView"];
export type LedgerLine = Schemas["LedgerLine"];

export interface RecordingsQuery {
  cursor?: string | undefined;
  limit?: number | undefined;
  since?: string | undefined;
  until?: string | undefined;
  agent_id?: string | undefined;
  direction?: Direction | undefined;
  phone?: string | undefined;
  user_id?: string | undefined;
  min_duration_ms?: number | undefined;
  max_duration_ms?: number | undefined;
  verdict?: Verdict | undefined;
  cut_by_quota?: boolean | undefined;
  held?: boolean | undefined;
  note?: string | undefined;
  state?: RecordingItem["state"] | undefined;
}

const one = (id: string): string => `/recordings/${encodeURIComponent(id)}`;

export const library = {
  list: (query: RecordingsQuery, signal?: AbortSignal) =>
    ask<RecordingPage>("GET", `/recordings${queryString(query)}`, { signal }),
  one: (id: string, signal?: AbortSignal) => ask<RecordingDetail>("GET", one(id), { signal }),
  peaks: (id: string, signal?: AbortSignal) =>
    ask<Peaks>("GET", `${one(id)}/peaks`, { signal }),
  note: (id: string, note: string, version: number) =>
    ask<RecordingItem>("PATCH", one(id), { body: { note, version } }),
  delete: (ids: readonly string[]) =>
    ask<Deleted>("POST", "/recordings/delete", { body: { ids } }),
  hold: (id: string, why: string) =>
    ask<RecordingItem>("PUT", `${one(id)}/hold`, { body: { why } }),
  release: (id: string) => ask<RecordingItem>("DELETE", `${one(id)}/hold`),
  /** One archive of many; the browser keeps it on disk until it is saved. */
  pack: (ids: readonly string[]) => archive("/recordings/download", { ids }),

  usage: (days: number, signal?: AbortSignal) =>
    ask<Usage>("GET", `/quota/usage${queryString({ days })}`, { signal }),
  ledger: (cursor: string | undefined, signal?: AbortSignal) =>
    ask<Ledger>("GET", `/quota/ledger${queryString({ cursor })}`, { signal }),

  audioAddress: (id: string): string => `${ROOT}${one(id)}/audio`,
  downloadAddress: (id: string): string => `${ROOT}${one(id)}/download`,
  tableAddress: (query: RecordingsQuery): string =>
    `${ROOT}/recordings.csv${queryString({ ...query, bom: true })}`,
};
