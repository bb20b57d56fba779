import { describe, expect, it } from "vitest";
import type { CallSettings } from "../api/types";
import { changeOf, draftOf, obstacleOf, purposeLength, spokenOf } from "./recordingForm";

const settings: CallSettings = {
  version: 3,
  records: "none",
  mode: "official",
  purpose: "",
  language: "en",
  transcription: false,
  transcription_alone: false,
  spoken: null,
  announcement: null,
  announcement_max_s: 60,
  announcement_bytes_max: 1_000_000,
  purpose_chars_max: 250,
  languages: [
    { code: "en", recording: "Recorded for:", recording_and_transcription: "Both for:" },
    { code: "es", recording: "Grabada para:", recording_and_transcription: "Ambas para:" },
  ],
};
const sound = { id: "a", duration_ms: 4000, uploaded_at: "2026-05-04T03:00:00.000Z" };
const draft = draftOf(settings);

describe("the form of what is recorded", () => {
  it("cannot be saved as it was", () => {
    expect(obstacleOf(draft, settings)).toBe("unchanged");
    expect(obstacleOf({ ...draft, purpose: "  " }, settings)).toBe("unchanged");
  });

  it("asks for the purpose where WhatsApp has to speak", () => {
    expect(obstacleOf({ ...draft, records: "both" }, settings)).toBe("purpose_missing");
    expect(obstacleOf({ ...draft, transcription: true }, settings)).toBe("purpose_missing");
    expect(obstacleOf({ ...draft, records: "both", purpose: "x" }, settings)).toBeNull();
    const long = { ...draft, records: "both" as const, purpose: "x".repeat(251) };
    expect(obstacleOf(long, settings)).toBe("purpose_long");
  });

  it("asks for the announcement where the gateway records alone", () => {
    const local = { ...draft, records: "both" as const, mode: "local" as const };
    expect(obstacleOf(local, settings)).toBe("announcement");
    expect(obstacleOf(local, { ...settings, announcement: sound })).toBeNull();
    expect(obstacleOf({ ...local, records: "none" }, settings)).toBeNull();
  });

  it("shows the words that will be spoken, in the language chosen", () => {
    const spoken = { ...draft, purpose: " quality \n control " };
    expect(spokenOf(spoken, settings)).toBe("Recorded for: quality control");
    const both = { ...spoken, language: "es", transcription: true };
    expect(spokenOf(both, settings)).toBe("Ambas para: quality control");
    expect(spokenOf({ ...spoken, mode: "local" }, settings)).toBeNull();
    expect(spokenOf(draft, settings)).toBeNull();
  });

  it("sends no transcription where nobody transcribes", () => {
    const local = { ...draft, mode: "local" as const, transcription: true };
    const sent = changeOf({ ...local, transcription_alone: true }, 7);
    expect(sent).toMatchObject({
      version: 7,
      transcription: false,
      transcription_alone: false,
    });
    const alone = changeOf({ ...draft, transcription_alone: true }, 7);
    expect(alone.transcription_alone).toBe(false);
  });

  it("counts characters as people do", () => {
    expect(purposeLength({ ...draft, purpose: "  👍🏽 ok " })).toBe(5);
  });
});
