/** Calls as a table; on a narrow screen each row becomes a small card. */

import { Anchor, Badge, Paper } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import type { CallView } from "../api/types";
import { formatDuration, formatMoment } from "../i18n/format";
import { formatPhone } from "../phone/address";
import { talkedMs } from "../phone/calls";
import { useMe } from "../phone/context";
import { PlayButton } from "../recordings/PlayButton";
import { DirectionSign } from "../ui/DirectionSign";
import { nameOf } from "../ui/names";
import classes from "./CallTable.module.css";
import { OutcomeBadge } from "./OutcomeBadge";

export function CallTable({ calls }: { calls: readonly CallView[] }) {
  const { t } = useTranslation();
  const isAgent = useMe().user.role === "agent";
  return (
    <Paper withBorder bg="var(--panel)">
      <table className={classes.table}>
        <caption className="visually-hidden">{t("list.caption")}</caption>
        <thead>
          <tr>
            <th scope="col">{t("list.person")}</th>
            <th scope="col">{t("list.number")}</th>
            {!isAgent && <th scope="col">{t("list.agent")}</th>}
            <th scope="col">{t("list.started")}</th>
            <th scope="col">{t("list.duration")}</th>
            <th scope="col">{t("list.outcome")}</th>
            <th scope="col">{t("list.recording")}</th>
          </tr>
        </thead>
        <tbody>
          {calls.map((call) => (
            <Row key={call.id} call={call} hasAgent={!isAgent} />
          ))}
        </tbody>
      </table>
    </Paper>
  );
}

function Row({ call, hasAgent }: { call: CallView; hasAgent: boolean }) {
  const { t } = useTranslation();
  const { timezone } = useMe().account;
  const talked = call.state === "ended" ? talkedMs(call, 0) : null;
  const name = nameOf(call.peer, t);
  const phone = call.peer.phone ? formatPhone(call.peer.phone) : null;
  return (
    <tr>
      <td>
        <span className={classes.person}>
          <DirectionSign direction={call.direction} outcome={call.outcome} />
          <span>
            <Anchor component={Link} to={`/calls/${call.id}`} fw={550} c="inherit">
              {name}
            </Anchor>
            {phone !== null && phone !== name && <span className={classes.quiet}>{phone}</span>}
          </span>
        </span>
      </td>
      <td data-label={t("list.number")}>{call.number.display}</td>
      {hasAgent && (
        <td data-label={t("list.agent")}>{call.agent?.name ?? t("list.unanswered")}</td>
      )}
      <td data-label={t("list.started")}>{formatMoment(call.created_at, timezone)}</td>
      <td data-label={t("list.duration")}>{talked === null ? "–" : formatDuration(talked)}</td>
      <td data-label={t("list.outcome")}>
        {call.state === "ended" ? (
          <OutcomeBadge outcome={call.outcome} />
        ) : (
          <Badge variant="filled" color="brand">
            {t(`state.${call.state}`)}
          </Badge>
        )}
      </td>
      <td data-label={t("list.recording")}>
        {call.recording?.state === "kept" ? (
          <PlayButton
            what={{ id: call.id, who: name, durationMs: call.recording.duration_ms ?? 0 }}
          />
        ) : (
          "–"
        )}
      </td>
    </tr>
  );
}
