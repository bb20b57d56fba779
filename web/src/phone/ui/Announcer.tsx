/** Tells people who do not look at the screen what the phone does (ARIA live regions). */

import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { nameOf, outcomeText } from "../../ui/names";
import { offers, ownCall } from "../calls";
import { useControl, useLine } from "../context";
import { markOf, recordingOf } from "../recording";
import type { Status } from "../status";
import { useServerNow, useStatus } from "./useStatus";

/** States that are worth words without a call. */
const idle: readonly Status[] = ["ready", "not_ready", "offline"];
const aboutCalls: readonly Status[] = [
  "ringing",
  "answering",
  "dialling",
  "remote_ringing",
  "connecting",
  "talking",
  "held",
  "runs_elsewhere",
  "agent_away",
];

export function Announcer() {
  const { t } = useTranslation();
  const status = useStatus();
  const line = useLine();
  const control = useControl();
  const call = ownCall(line);
  const peer = (call ?? offers(line)[0])?.peer ?? {};
  const who = nameOf(peer, t);
  const muted = call === null ? null : (control.muted ?? call.muted);
  const last = line.lastCall;
  // News of its recording are no second end.
  const lastKey = last === null ? null : `${last.id}/${last.state}`;
  const serverNow = useServerNow();
  const mark = call === null ? null : markOf(recordingOf(call, serverNow));

  const [calm, setCalm] = useState("");
  const [urgent, setUrgent] = useState("");
  const wasMuted = useRef<boolean | null>(null);

  useEffect(() => {
    if (status === "ringing") setUrgent(t("announce.ringing", { who }));
    else setUrgent("");
    if (aboutCalls.includes(status) && status !== "ringing") {
      setCalm(t(`announce.${status as "talking"}`, { who }));
    } else if (idle.includes(status)) {
      setCalm(t(`announce.${status as "ready"}`));
    }
  }, [status, who, t]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: what is told follows from the key
  useEffect(() => {
    if (last === null) return;
    if (last.state === "ended") {
      setCalm(t("announce.ended", { outcome: outcomeText(last.outcome, t) }));
    } else {
      setCalm(t("call.taken", { agent: last.agent?.name ?? "" }));
    }
  }, [lastKey, t]);

  useEffect(() => {
    if (mark !== null) setCalm(t(`announce.recording_${mark}`));
  }, [mark, t]);

  useEffect(() => {
    if (muted !== null && wasMuted.current !== null && muted !== wasMuted.current) {
      setCalm(muted ? t("announce.muted") : t("announce.unmuted"));
    }
    wasMuted.current = muted;
  }, [muted, t]);

  return (
    <>
      <output className="visually-hidden" aria-live="polite" data-testid="announcer">
        {calm}
      </output>
      <div className="visually-hidden" aria-live="assertive" role="alert">
        {urgent}
      </div>
    </>
  );
}
