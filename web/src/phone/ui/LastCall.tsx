/** What became of the last call, until dismissed or the next one. */

import { Anchor, CloseButton, Group, Paper, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { Refused } from "../../api/client";
import type { CallView } from "../../api/types";
import { formatDuration } from "../../i18n/format";
import { nameOf, outcomeText } from "../../ui/names";
import { Problem } from "../../ui/Problem";
import { talkedMs } from "../calls";
import { usePhone } from "../context";
import classes from "./Call.module.css";
import { RecordingBadge } from "./RecordingBadge";

export function LastCall({ call }: { call: CallView }) {
  const { t } = useTranslation();
  const { line } = usePhone();
  const title = titleOf(call, t);
  return (
    <Paper component="section" withBorder p="md" className={classes.panel} aria-label={title}>
      <Stack gap="xs">
        <Group justify="space-between" wrap="nowrap">
          <Text fw={650}>{title}</Text>
          <CloseButton aria-label={t("app.dismiss")} onClick={() => line.dismissLastCall()} />
        </Group>
        {call.state === "ended" ? (
          <Text size="sm">
            {nameOf(call.peer, t)} · {outcomeText(call.outcome, t)} ·{" "}
            <Anchor component={Link} to={`/calls/${call.id}`} inherit underline="always">
              {t("call.open")}
            </Anchor>
          </Text>
        ) : (
          <Text size="sm">{nameOf(call.peer, t)}</Text>
        )}
        {call.state === "ended" && <RecordingBadge call={call} />}
        {call.problem && (
          <Problem
            title={outcomeText(call.outcome, t)}
            refused={new Refused(0, { ...call.problem, meta: call.problem.meta ?? null })}
          />
        )}
      </Stack>
    </Paper>
  );
}

function titleOf(call: CallView, t: ReturnType<typeof useTranslation>["t"]): string {
  if (call.state !== "ended") return t("call.taken", { agent: call.agent?.name ?? "" });
  const talked = talkedMs(call, Date.now());
  if (talked !== null) return t("call.ended_after", { duration: formatDuration(talked) });
  return call.outcome === "missed" ? t("call.missed") : t("call.ended");
}
