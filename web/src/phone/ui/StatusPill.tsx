/** The phone's state in the header: word, colour and sign, never colour alone. */

import { useTranslation } from "react-i18next";
import type { Status } from "../status";
import classes from "./StatusPill.module.css";
import { useStatus } from "./useStatus";

type Tone = "good" | "warn" | "bad" | "quiet" | "live";

const tones: Record<Status, Tone> = {
  offline: "bad",
  elsewhere: "quiet",
  checking: "warn",
  not_ready: "quiet",
  ready: "good",
  path_lost: "bad",
  ringing: "live",
  answering: "live",
  dialling: "live",
  remote_ringing: "live",
  connecting: "warn",
  talking: "live",
  held: "warn",
  agent_away: "bad",
};

export function StatusPill() {
  const { t } = useTranslation();
  const status = useStatus();
  return (
    <span className={classes.pill} data-tone={tones[status]} data-testid="status">
      <span className={classes.dot} aria-hidden />
      {t(`status.${status}`)}
    </span>
  );
}
