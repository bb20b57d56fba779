/** The form of what is recorded: what it holds, what keeps it from being saved, what is spoken. */

import type { CallSettings, CallSettingsChange } from "../api/types";

export type Draft = Omit<CallSettingsChange, "version">;

/** Why the form cannot be saved as it stands. */
export type Obstacle = "unchanged" | "purpose_missing" | "purpose_long" | "announcement";

export function draftOf(settings: CallSettings): Draft {
  const { records, mode, purpose, language, transcription, transcription_alone } = settings;
  return { records, mode, purpose, language, transcription, transcription_alone };
}

/** What is sent: only WhatsApp transcribes, and alone only where it transcribes at all. */
export function changeOf(draft: Draft, version: number): CallSettingsChange {
  const transcription = draft.mode === "official" && draft.transcription;
  return {
    ...draft,
    version,
    purpose: tidy(draft.purpose),
    transcription,
    transcription_alone: transcription && draft.transcription_alone,
  };
}

/** Counted as the gateway does: by characters, white space made one. */
export function purposeLength(draft: Draft): number {
  return [...tidy(draft.purpose)].length;
}

/** What both sides will hear before a recorded call; null where WhatsApp says nothing. */
export function spokenOf(draft: Draft, settings: CallSettings): string | null {
  const purpose = tidy(draft.purpose);
  if (draft.mode === "local" || purpose === "") return null;
  const spoken = settings.languages.find(({ code }) => code === draft.language);
  if (spoken === undefined) return null;
  const words = draft.transcription ? spoken.recording_and_transcription : spoken.recording;
  return `${words} ${purpose}`;
}

export function obstacleOf(draft: Draft, settings: CallSettings): Obstacle | null {
  const change = changeOf(draft, settings.version);
  const isRecorded = draft.records !== "none";
  if (draft.mode === "local") {
    if (isRecorded && settings.announcement === null) return "announcement";
  } else {
    const isSpoken = isRecorded || change.transcription;
    if (isSpoken && change.purpose === "") return "purpose_missing";
    if (purposeLength(draft) > settings.purpose_chars_max) return "purpose_long";
  }
  const before = changeOf(draftOf(settings), settings.version);
  const names = Object.keys(before) as (keyof CallSettingsChange)[];
  return names.every((name) => before[name] === change[name]) ? "unchanged" : null;
}

const tidy = (text: string): string => text.trim().replace(/\s+/g, " ");
