/** Earlier calls: with the person on the line, or the latest ones of all. */

import { Anchor, Group, Paper, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { api, refusalOf } from "../../api/client";
import type { CallView, Peer } from "../../api/types";
import { formatMoment } from "../../i18n/format";
import { DirectionSign } from "../../ui/DirectionSign";
import { nameOf, outcomeText } from "../../ui/names";
import { Problem } from "../../ui/Problem";
import { isSamePeer } from "../calls";
import { useMe } from "../context";
import classes from "./History.module.css";

/** So many of the latest calls are searched for the person. */
const SEARCHED = 100;
const SHOWN = 8;

interface HistoryProps {
  /** Only calls with this person; null for all. */
  peer: Peer | null;
  /** The call on the line is no history yet. */
  exceptId?: string;
}

export function History({ peer, exceptId }: HistoryProps) {
  const { t } = useTranslation();
  const limit = peer === null ? SHOWN : SEARCHED;
  const { data, error } = useQuery({
    queryKey: ["calls", "latest", limit],
    queryFn: ({ signal }) => api.calls({ limit }, signal),
  });
  const calls = data?.items
    .filter((call) => call.id !== exceptId && (peer === null || isSamePeer(call.peer, peer)))
    .slice(0, SHOWN);
  return (
    <Paper component="section" withBorder p="lg" className={classes.panel}>
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={2}>{peer === null ? t("history.recent") : t("history.title")}</Title>
          <Anchor component={Link} to="/calls" size="sm">
            {t("history.all")}
          </Anchor>
        </Group>
        {error && <Problem title={t("list.failed")} refused={refusalOf(error)} />}
        {!data && !error && <Skeleton h={120} />}
        {calls?.length === 0 && (
          <Text size="sm" c="var(--quiet)">
            {peer === null ? t("history.recent_none") : t("history.none")}
          </Text>
        )}
        {calls && calls.length > 0 && (
          <ul className={classes.list}>
            {calls.map((call) => (
              <Row key={call.id} call={call} />
            ))}
          </ul>
        )}
      </Stack>
    </Paper>
  );
}

function Row({ call }: { call: CallView }) {
  const { t } = useTranslation();
  const { timezone } = useMe().account;
  return (
    <li>
      <Link to={`/calls/${call.id}`} className={classes.row}>
        <DirectionSign direction={call.direction} outcome={call.outcome} />
        <span className={classes.who}>{nameOf(call.peer, t)}</span>
        <span className={classes.quiet}>
          {call.state === "ended" ? outcomeText(call.outcome, t) : t(`state.${call.state}`)}
        </span>
        <span className={classes.quiet}>{formatMoment(call.created_at, timezone)}</span>
      </Link>
    </li>
  );
}
