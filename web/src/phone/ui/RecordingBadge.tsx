/** Whether the call is recorded, in word, colour and sign; counts down when minutes run out. */

import { useTranslation } from "react-i18next";
import type { CallView } from "../../api/types";
import { formatDuration } from "../../i18n/format";
import { recordingOf } from "../recording";
import classes from "./StatusPill.module.css";
import { useServerNow } from "./useStatus";

export function RecordingBadge({ call }: { call: CallView }) {
  const { t } = useTranslation();
  const shown = recordingOf(call, useServerNow());
  if (shown === null) return null;
  return (
    <span
      className={classes.pill}
      data-tone={shown.tone}
      data-wraps
      data-testid="recording"
      data-state={shown.text}
    >
      <span className={classes.dot} aria-hidden />
      {t(`recording.${shown.text}`, { time: formatDuration(shown.ms) })}
    </span>
  );
}
